const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat();
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const money = new Intl.NumberFormat(undefined, { style: "currency", currency: "USD", maximumFractionDigits: 4 });
const smallMoney = new Intl.NumberFormat(undefined, { style: "currency", currency: "USD", maximumSignificantDigits: 2 });
const dayOfYear = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

const orDash = (value, format) => (value === null || value === undefined ? "–" : format(value));
// What is not free does not look free, however little it is.
const inMoney = (cents) => (cents > 0 && cents < 1 ? smallMoney : money).format(cents / 100);
const inNumber = (value) => number.format(value);

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function gauge(label, used, limit, format, resetsAt) {
  const figure = element("figure");
  const caption = element("figcaption", label);
  const said = limit === null ? `${format(used)}, no limit` : `${format(used)} of ${format(limit)}`;
  caption.append(element("output", said));
  figure.append(caption);
  if (limit !== null) {
    const meter = element("meter", said);
    Object.assign(meter, { min: 0, max: Math.max(limit, 1), low: limit * 0.8, high: limit * 0.95, optimum: 0, value: limit ? used : 1 });
    meter.setAttribute("aria-label", label);
    figure.append(meter, element("small", `starts anew ${moment.format(new Date(resetsAt))}`, "soft"));
  }
  return figure;
}

function showLimits(limits) {
  const { daily, monthly } = limits.resetsAt;
  const gauges = [
    gauge("Requests today", limits.dailyUsed, limits.dailyLimit, inNumber, daily),
    gauge("Requests this month", limits.monthlyUsed, limits.monthlyLimit, inNumber, monthly),
  ];
  if (limits.monthlyTokensLimit !== undefined)
    gauges.push(gauge("Tokens this month", limits.monthlyTokensUsed, limits.monthlyTokensLimit, inNumber, monthly));
  if (limits.monthlyCostLimit !== undefined)
    gauges.push(gauge("Money this month", limits.monthlyCostUsed, limits.monthlyCostLimit, inMoney, monthly));
  byId("limits").replaceChildren(...gauges);
}

function knownCost({ totalCost, unpricedRequests }) {
  if (!unpricedRequests) return [inMoney(totalCost)];
  return [totalCost ? inMoney(totalCost) : "–", `${inNumber(unpricedRequests)} without a price`];
}

function showNumbers({ metrics, performance }) {
  const told = [
    ["Requests", inNumber(metrics.totalRequests)],
    ["Tokens", inNumber(metrics.totalTokensUsed)],
    ["Cost", ...knownCost(metrics)],
    ["Mean time", orDash(metrics.averageResponseTime, (ms) => `${inNumber(ms)} ms`)],
    ["Success", orDash(performance.successRate, percent.format)],
    ["Rating", orDash(performance.averageRating, (rating) => `${rating.toFixed(1)} of 5`)],
  ];
  byId("numbers").replaceChildren(
    ...told.map(([label, value, note]) => {
      const pair = element("div");
      pair.append(element("dt", label), element("dd", value));
      if (note) pair.append(element("dd", note, "note"));
      return pair;
    }),
  );
}

function showDays(series) {
  const chart = byId("days");
  const most = Math.max(1, ...series.map((day) => day.requests));
  chart.setAttribute("viewBox", `0 0 ${series.length * 10} 100`);
  chart.setAttribute("aria-label", `Requests a day, at most ${inNumber(most)}`);
  byId("most").textContent = series.some(({ requests }) => requests) ? `${inNumber(most)} a day` : "";
  byId("first-day").textContent = dayOfYear.format(new Date(series[0].date));
  byId("last-day").textContent = dayOfYear.format(new Date(series.at(-1).date));
  chart.replaceChildren(
    ...series.map((day, place) => {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const height = day.requests ? Math.max(3, (day.requests / most) * 100) : 1;
      const size = { x: place * 10 + 1, y: 100 - height, width: 8, height };
      for (const [name, value] of Object.entries(size)) bar.setAttribute(name, value);
      if (!day.requests) bar.setAttribute("class", "none");
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = `${day.date}: ${inNumber(day.requests)}`;
      bar.append(title);
      return bar;
    }),
  );
}

function showNewest(requests) {
  byId("none").hidden = requests.length > 0;
  byId("newest").replaceChildren(
    ...requests.map((request) => {
      const row = element("tr");
      row.append(
        element("td", moment.format(new Date(request.startedAt))),
        element("td", request.prompt || "No text", request.prompt ? "prompt" : "prompt soft"),
        element("td", request.model ?? "–", request.model ? "" : "none"),
        element("td", request.errorCode ?? request.status, request.status === "failed" ? "bad" : ""),
        element("td", orDash(request.tokensUsed, inNumber), request.tokensUsed === null ? "number none" : "number tokens"),
        element("td", orDash(request.cost, inMoney), request.cost === null ? "number none" : "number"),
      );
      return row;
    }),
  );
}

const whyNot = {
  daily: "Today's requests are used up.",
  monthly: "This month's requests are used up.",
  tokens: "This month's tokens are used up.",
  cost: "This month's money is used up.",
  inactive: "The account is switched off.",
};

async function show() {
  const answer = await fetch("/api/user/dashboard").catch(() => null);
  if (!answer) {
    byId("state").textContent = "The service cannot be reached; trying again.";
    return;
  }
  if (answer.status === 401) return location.reload();
  const told = await answer.json();
  if (!answer.ok) {
    byId("state").textContent = told.detail ?? told.title;
    return;
  }
  byId("who").textContent = `${told.user.email ?? told.user.id}, plan ${told.user.plan}`;
  byId("state").textContent = whyNot[told.limits.reason] ?? "You can make requests.";
  showLimits(told.limits);
  showNumbers(told);
  showDays(told.series);
  showNewest(told.recentRequests);
  byId("board").hidden = false;
}

async function refresh() {
  try {
    if (document.visibilityState === "visible") await show();
  } finally {
    setTimeout(refresh, 10_000);
  }
}

byId("sign-out").addEventListener("click", async () => {
  await fetch("/api/account/sign-out", { method: "POST" });
  location.assign("/");
});
refresh();
