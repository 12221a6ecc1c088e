/* The pages about the server: versions of the model and their figures; the last minute. */
import { ask, enc } from "./ask.js";
import { clear, h, s } from "./dom.js";
import { language, ms, number, rate, t } from "./texts.js";

const FIRST = 6; // figures shown without asking

export async function models(signal, about, swapped) {
  const box = h("div", { class: "models" });
  const told = h("p", { class: "notice", role: "status", hidden: true });
  async function show() {
    const { models: found } = await ask("/v1/models", { signal });
    clear(box, h("h1", {}, () => t("models.title")), h("p", { class: "deck" }, () => t("models.text")), told,
      about.role === "admin" ? null : h("p", { class: "note" }, () => t("models.role")),
      h("div", { class: "cards" }, found.reverse().map(card)));
  }
  function card(model) {
    const swap = h("button", { type: "button", class: "strong", on: { click: async () => {
      for (const other of box.querySelectorAll("button.strong")) other.disabled = true;
      swap.textContent = t("models.swapping");
      try {
        const answer = await ask(`/v1/models/${enc(model.version)}/current`, { method: "POST" });
        told.hidden = false;
        told.classList.remove("bad");
        clear(told, h("span", {}, () => t("models.swapped", answer.name)));
        swapped();
      } catch (error) {
        told.hidden = false;
        told.classList.add("bad");
        clear(told, error.message);
      }
      await show();
    } } }, () => t("models.swap"));
    const rows = Object.entries(model.metrics);
    const table = (those) => h("table", {},
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, () => t("models.figure")), h("th", { scope: "col", class: "number" }, () => t("models.value")), h("th", { scope: "col", class: "number" }, () => t("models.range")))),
      h("tbody", {}, those.map(([figure, value]) => h("tr", {}, h("th", { scope: "row" }, figure), h("td", { class: "number" }, () => number(value, 4)),
        h("td", { class: "number" }, model.intervals[figure] ? () => model.intervals[figure].map((end) => number(end, 4)).join(" – ") : "")))));
    return h("article", { class: `card model${model.is_current ? " current" : ""}` },
      h("header", {}, h("h2", {}, model.name), model.is_current ? h("b", { class: "badge" }, () => t("models.current")) : about.role === "admin" ? swap : null),
      h("p", { class: "facts" }, h("span", {}, () => t("models.fitted", new Date(model.created_at).toLocaleString(language() === "zh" ? "zh-CN" : "en", { dateStyle: "medium", timeStyle: "short" }))),
        h("span", {}, () => t("models.size", number(model.n_users), number(model.n_items))), model.n_interactions ? h("span", {}, () => t("models.pairs", number(model.n_interactions))) : null),
      h("p", { class: "id" }, model.version),
      rows.length ? h("div", { class: "scroll" }, table(rows.slice(0, FIRST))) : h("p", { class: "soft" }, () => t("models.nofigures")),
      rows.length > FIRST ? h("details", {}, h("summary", {}, () => t("models.more", rows.length)), h("div", { class: "scroll" }, table(rows.slice(FIRST)))) : null);
  }
  await show();
  return { box, title: () => t("models.title"), again: show };
}

export function live() {
  const tile = (key) => { const value = h("dd", {}, "–"); return { value, box: h("div", {}, h("dt", {}, () => t(key)), value) }; };
  const tiles = { requests: tile("live.requests"), events: tile("live.events"), p50: tile("live.p50"), p99: tile("live.p99") };
  const charts = { requests: new Chart("live.requests", "bars"), events: new Chart("live.events", "bars"), latency: new Chart("live.latency", "lines") };
  const body = h("tbody");
  const foot = h("p", { class: "facts" });
  const box = h("div", { class: "live" },
    h("h1", {}, () => t("live.title")), h("p", { class: "deck" }, () => t("live.text")),
    h("dl", { class: "strip" }, Object.values(tiles).map((each) => each.box)),
    h("div", { class: "charts" }, Object.values(charts).map((chart) => chart.box)),
    h("section", { class: "card" }, h("div", { class: "scroll" }, h("table", {},
      h("thead", {}, h("tr", {}, ["live.kind", "live.rate", "live.p50", "live.p99"].map((key, i) => h("th", { scope: "col", class: i ? "number" : "" }, () => t(key))))), body)), foot));
  let found = null;
  function show(stats) {
    found = stats;
    tiles.requests.value.textContent = rate(stats.requests_per_s);
    tiles.events.value.textContent = rate(stats.events_per_s);
    tiles.p50.value.textContent = ms(stats.latency_ms.p50);
    tiles.p99.value.textContent = ms(stats.latency_ms.p99);
    charts.requests.draw([stats.series.map((row) => row.requests)], rate);
    charts.events.draw([stats.series.map((row) => row.events)], rate);
    charts.latency.draw([stats.series.map((row) => row.p50), stats.series.map((row) => row.p99)], ms);
    clear(body, Object.entries(stats.kinds).map(([kind, row]) => h("tr", {}, h("th", { scope: "row" }, t(`kind.${kind}`)),
      h("td", { class: "number" }, rate(row.per_s)), h("td", { class: "number" }, ms(row.p50)), h("td", { class: "number" }, ms(row.p99)))));
    clear(foot, [["live.failed", stats.failed], ["live.waiting", stats.n_waiting], ["live.log", stats.last_seq]].map(([key, n]) => h("span", {}, t(key, n))));
  }
  return { box, title: () => t("live.title"), show, retell: () => { if (found) show(found); } };
}

const SECONDS = 60;

/* A small chart of the last minute, drawn for the width it has. */
class Chart {
  constructor(title, kind) {
    this.title = title;
    this.kind = kind;
    this.svg = s("svg", { class: "chart", role: "img" });
    this.legend = kind === "lines" ? h("p", { class: "legend" }, h("span", {}, h("i", { class: "line a" }), () => t("live.p50")), h("span", {}, h("i", { class: "line b" }), () => t("live.p99"))) : null;
    this.box = h("figure", { class: "card" }, h("figcaption", {}, h("h2", {}, () => t(title)), this.legend), this.svg);
    new ResizeObserver(() => { if (this.series) this.draw(this.series, this.say); }).observe(this.box);
  }

  draw(series, say) {
    this.series = series;
    this.say = say;
    const width = Math.max(180, this.svg.clientWidth || 300);
    const [height, left, bottom, top] = [150, 44, 20, 10];
    const values = series.flat().filter((value) => value !== null);
    const most = nice(Math.max(...values, this.kind === "bars" ? 4 : 2));
    const last = series.map((row) => [...row].reverse().find((value) => value !== null) ?? null);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.setAttribute("aria-label", t("live.chart", t(this.title), last.map((value) => say(value)).join(" / "), say(values.length ? Math.max(...values) : null)));
    const y = (value) => height - bottom - (value / most) * (height - bottom - top);
    const step = (width - left - 4) / SECONDS;
    const x = (place, n) => left + (SECONDS - n + place) * step;
    const parts = [0, most / 2, most].map((value) => [
      s("line", { class: "grid", x1: left, x2: width, y1: y(value), y2: y(value) }),
      s("text", { class: "tick", x: left - 6, y: y(value) + 4, "text-anchor": "end" }, say === ms ? number(value, 1) : number(value, 1))]);
    if (this.kind === "bars") {
      series[0].forEach((value, i) => { if (value) parts.push(s("rect", { class: "stick", x: x(i, series[0].length) + 0.5, width: Math.max(1, step - 1), y: y(value), height: height - bottom - y(value), rx: 1 })); });
    } else {
      series.forEach((row, which) => {
        let path = "";
        let joined = false;
        row.forEach((value, i) => {
          if (value === null) { joined = false; return; }
          const [px, py] = [x(i, row.length) + step / 2, y(value)];
          path += `${joined ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`;
          parts.push(s("circle", { class: `dot ${which ? "b" : "a"}`, cx: px.toFixed(1), cy: py.toFixed(1), r: 2 }));
          joined = true;
        });
        if (path) parts.push(s("path", { class: `curve ${which ? "b" : "a"}`, d: path }));
      });
    }
    parts.push(s("text", { class: "tick", x: left, y: height - 4 }, t("live.seconds")), s("text", { class: "tick", x: width, y: height - 4, "text-anchor": "end" }, t("live.now")));
    if (this.kind === "lines" && !values.length) parts.push(s("text", { class: "quiet", x: left + (width - left) / 2, y: height / 2 - 2, "text-anchor": "middle" }, t("live.quiet")));
    clear(this.svg, parts);
  }
}

/* The next of 1, 2, 5, 10, … */
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= value * 0.999);
}
