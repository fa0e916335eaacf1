// Whoever wanted another page than the start comes back to it: the link takes it along as `next`.
const wanted = location.pathname + (location.search.length < 400 ? location.search : "");
const told = document.getElementById("wanted");
told.hidden = wanted === "/";
told.querySelector("code").textContent = wanted.length > 60 ? `${wanted.slice(0, 60)} …` : wanted;

document.getElementById("link-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const pasted = document.getElementById("link").value.trim();
  const link = URL.canParse(pasted, location.origin) ? new URL(pasted, location.origin) : null;
  const fits = link?.origin === location.origin && /^\/sign-in\/[\w-]+$/.test(link.pathname);
  document.getElementById("link-problem").hidden = fits;
  if (fits) location.assign(`${link.pathname}?next=${encodeURIComponent(wanted)}`);
});
