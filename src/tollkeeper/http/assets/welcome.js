// Signing in: by a code that comes by mail, by a passkey, by GitHub, or by a link that somebody was given.
const $ = (id) => document.getElementById(id);
const KEPT = "tollkeeper-sign-in";
const PASSKEY = "tollkeeper-passkey";
const AGAIN_MS = 30_000;

// Whoever wanted another page than the start comes back to it.
const wanted = location.pathname + (location.search.length < 400 ? location.search : "");
$("wanted").hidden = wanted === "/";
$("wanted").querySelector("code").textContent = wanted.length > 60 ? `${wanted.slice(0, 60)} …` : wanted;
$("github").href = `/sign-in/github?next=${encodeURIComponent(wanted)}`;

const isPlain = !window.isSecureContext && document.querySelector(".welcome").dataset.plain === "false";
$("insecure").hidden = !isPlain;
if (isPlain) for (const each of document.querySelectorAll("button, input")) each.disabled = true;

class Refused extends Error {}

async function call(path, says) {
  let answer;
  try {
    answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(says),
    });
  } catch {
    throw new Refused("The service cannot be reached right now. Are you online?");
  }
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  const detail = told.errors?.[0]?.message ?? told.detail ?? "this did not work";
  const seconds = Number(answer.headers.get("Retry-After"));
  const when = answer.status === 429 && seconds ? ` (in ${seconds < 90 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`})` : "";
  throw new Refused(`${detail[0].toUpperCase()}${detail.slice(1)}${when}.`);
}

// What a button does: once at a time, and told where it belongs if it does not work.
function doing(button, problem, field, act) {
  return async (event) => {
    event?.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    problem.hidden = true;
    field?.removeAttribute("aria-invalid");
    try {
      await act();
    } catch (error) {
      problem.textContent = error instanceof Refused ? error.message : "That did not work. Try again.";
      problem.hidden = false;
      field?.setAttribute("aria-invalid", "true");
      field?.focus();
    } finally {
      button.removeAttribute("aria-busy");
    }
  };
}

// Asking for a mail, and typing its code.
let asked = null;

function show(ask) {
  asked = ask;
  if (ask) sessionStorage.setItem(KEPT, JSON.stringify(ask));
  else sessionStorage.removeItem(KEPT);
  $("ways").hidden = Boolean(ask);
  $("typing").hidden = !ask;
  $("code").value = "";
  $("code-problem").hidden = true;
  if (!ask) return;
  $("whom").textContent = ask.email;
  tick();
  $("code").focus();
}

function tick() {
  if (!asked) return;
  const left = Math.max(0, Math.round((asked.until - Date.now()) / 1000));
  $("left").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
  $("holds").hidden = left === 0;
  $("again").disabled = left > 0 && Date.now() < asked.at + AGAIN_MS;
  if (left === 0 && $("code-problem").hidden) {
    $("code-problem").textContent = "The code has expired. Send another.";
    $("code-problem").hidden = false;
  }
}
setInterval(tick, 1000);

async function ask(email) {
  const { expiresAt } = await call("/api/sign-in/email", { email, next: wanted });
  show({ email, at: Date.now(), until: Date.parse(expiresAt) });
}

function enter(told) {
  sessionStorage.removeItem(KEPT);
  location.assign(told.next);
}

const askButton = $("email-form").querySelector("button");
$("email-form").addEventListener(
  "submit",
  doing(askButton, $("email-problem"), $("email"), () => ask($("email").value.trim())),
);
$("again").addEventListener("click", doing($("again"), $("code-problem"), null, () => ask(asked.email)));
$("other").addEventListener("click", () => {
  show(null);
  $("email").select();
});

const codeButton = $("code-form").querySelector("button");
const typed = () => $("code").value.replace(/[^0-9a-z]/gi, "").toUpperCase();
$("code-form").addEventListener(
  "submit",
  doing(codeButton, $("code-problem"), $("code"), async () => {
    if (typed().length !== 8) throw new Refused("The code has eight letters and digits.");
    enter(await call("/api/sign-in/code", { email: asked.email, code: typed() }));
  }),
);
$("code").addEventListener("input", () => {
  if (typed().length === 8) $("code-form").requestSubmit();
});

// The link of the mail may have been opened in another tab of this browser.
document.addEventListener("visibilitychange", async () => {
  if (document.visibilityState !== "visible" || !asked) return;
  const answer = await fetch("/api/account").catch(() => null);
  if (answer?.ok) enter({ next: wanted });
});

// A browser that has signed in by a passkey before is asked for it first.
const knowsPasskeys = Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON);
const isUsual = knowsPasskeys && localStorage.getItem(PASSKEY) !== null;
$("passkey").hidden = !isUsual;
$("passkey-too").hidden = !knowsPasskeys || isUsual;
if (isUsual) askButton.classList.add("plain");

async function byPasskey() {
  const { options, ceremony } = await call("/api/sign-in/passkey/options", {});
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const credential = await navigator.credentials.get({ publicKey }).catch(() => {
    throw new Refused("No passkey was used.");
  });
  const told = await call("/api/sign-in/passkey", { ceremony, credential: credential.toJSON(), next: wanted });
  localStorage.setItem(PASSKEY, "used");
  enter({ next: wanted, ...told });
}
for (const button of [$("passkey"), $("passkey-too")]) {
  button.addEventListener("click", doing(button, $("email-problem"), null, byPasskey));
}

// A link of the operator.
$("link-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const pasted = $("link").value.trim();
  const link = URL.canParse(pasted, location.origin) ? new URL(pasted, location.origin) : null;
  const fits = link?.origin === location.origin && /^\/sign-in\/(email\/)?[\w-]+$/.test(link.pathname);
  $("link-problem").hidden = fits;
  if (fits) location.assign(link.pathname.startsWith("/sign-in/email/") ? link.pathname : `${link.pathname}?next=${encodeURIComponent(wanted)}`);
});

// A page that was loaded anew, or that a phone had put away while its mail was read.
const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
if (kept?.until > Date.now() && !isPlain) show(kept);
