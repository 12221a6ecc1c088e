/* A list of items that remembers what it was: what moved, what is new, what is gone; with the reasons of each. */
import { ask, enc } from "./ask.js";
import { calm, clear, data, h, name } from "./dom.js";
import { columnName, knows, noteText, number, t } from "./texts.js";

const SLOW_MS = 600; // reasons that take longer are asked for only on a click

export class List {
  /* title: key of its name. explain: the user for whom reasons are asked, or null. button(item): what stands at the end of a row, or null. */
  constructor({ title, explain = null, button = null }) {
    this.explain = explain;
    this.button = button;
    this.rows = new Map(); // by item, as shown
    this.meta = h("span", { class: "meta" });
    this.note = h("p", { class: "note", hidden: true });
    this.list = h("ol", { class: "items" });
    this.tools = h("div", { class: "tools" });
    this.box = h("section", { class: "card listed" }, h("header", {}, h("h2", {}, () => t(title)), this.meta), this.tools, this.note, this.list);
  }

  /* Show a list; marks tell what changed since the one before. */
  show(found, { marks = false } = {}) {
    const before = new Map([...this.rows].map(([id, row]) => [id, { row, rank: Number(row.dataset.rank), top: row.getBoundingClientRect().top }]));
    const changes = { moved: 0, gone: [], of: found.items.length };
    const ids = new Set(found.items.map((item) => item.item_id));
    for (const [id, { row }] of before) if (!ids.has(id)) changes.gone.push({ id, title: row.dataset.title });
    this.reasons?.abort();
    this.rows = new Map();
    const rows = found.items.map((item) => {
      const old = before.get(item.item_id);
      const change = !marks ? null : old ? old.rank - item.rank : "new";
      if (change) changes.moved += 1;
      const row = this.row(item, change, found.source);
      this.rows.set(item.item_id, row);
      return row;
    });
    clear(this.list, rows.length ? rows : h("li", { class: "empty" }, () => t("list.empty")));
    const stages = Object.entries(found.stages_ms).filter(([name]) => !name.includes("/")); // the others are parts of these
    const total = stages.reduce((sum, [, ms]) => sum + ms, 0);
    clear(this.meta, !rows.length ? null : h("span", {}, () => t("list.from", knows(`source.${found.source}`) ? t(`source.${found.source}`) : found.source)),
      total ? h("span", { class: "time" }, () => ` · ${t("list.time", number(total, 1))}`) : null);
    this.note.hidden = !found.note;
    clear(this.note, h("span", {}, () => noteText(found.note)));
    if (marks && !calm()) {
      for (const [id, row] of this.rows) {
        const old = before.get(id);
        const shift = old ? old.top - row.getBoundingClientRect().top : 0;
        if (shift) row.animate([{ transform: `translateY(${shift}px)` }, {}], { duration: 420, easing: "cubic-bezier(.3,.7,.2,1)" });
        else if (!old) row.animate([{ opacity: 0, transform: "translateX(-12px)" }, {}], { duration: 420, easing: "ease-out" });
      }
    }
    if (this.explain !== null) this.askReasons(found.items.filter((item) => this.isExplained(item)));
    return changes;
  }

  row(item, change, source) {
    const why = h("p", { class: "because" });
    const panel = h("div", { class: "why", hidden: true });
    const row = h("li", { class: "entry", "data-rank": item.rank, "data-id": item.item_id, "data-title": item.title },
      h("span", { class: "rank" }, String(item.rank), mark(change)),
      h("div", { class: "main" },
        h("a", { class: "title", href: `#/item/${enc(item.item_id)}`, title: item.title }, name("item", item.item_id, item.title)),
        item.source !== source ? h("small", { class: "tag" }, () => (knows(`source.${item.source}`) ? t(`source.${item.source}`) : item.source)) : null,
        why, panel),
      this.button ? this.button(item) : null);
    row.why = why;
    row.panel = panel;
    if (this.isExplained(item)) clear(why, this.opener(row, item, h("span", { class: "soft", "aria-hidden": "true" }, () => t("why"))));
    return row;
  }

  /* What is merely popular or new has no reasons. */
  isExplained(item) { return this.explain !== null && !["popular", "latest"].includes(item.source); }

  opener(row, item, ...inner) {
    const button = h("button", {
      type: "button", class: "opener", "aria-expanded": String(!row.panel.hidden),
      on: { click: async () => {
        if (!row.told) {
          clear(row.panel, h("p", { class: "soft" }, () => t("why.busy")));
          row.panel.hidden = false;
          try { this.tell(row, item, await ask(`/v1/explain/${enc(this.explain)}/${enc(item.item_id)}?n=3`)); }
          catch (error) { clear(row.panel, h("p", { class: "soft" }, error.message)); return; }
          row.panel.hidden = false;
        } else row.panel.hidden = !row.panel.hidden;
        const shown = row.querySelector(".opener");
        shown.setAttribute("aria-expanded", String(!row.panel.hidden));
        shown.focus();
      } },
    }, h("span", { class: "unseen" }, () => `${t("why.of", item.title)} `), inner);
    return button;
  }

  /* Ask for reasons one after the other, as long as that is quick. */
  async askReasons(items) {
    const control = (this.reasons = new AbortController());
    for (const item of items) {
      const started = performance.now();
      try {
        const found = await ask(`/v1/explain/${enc(this.explain)}/${enc(item.item_id)}?n=3`, { signal: control.signal, patient: false });
        const row = this.rows.get(item.item_id);
        if (control.signal.aborted || !row) return;
        if (!row.told) this.tell(row, item, found);
      } catch { return; }
      if (performance.now() - started > SLOW_MS) return;
    }
  }

  tell(row, item, found) {
    row.told = true;
    const reasons = found.reasons.slice(0, 3);
    const short = reasons.slice(0, 2).flatMap((reason, i) => [i ? h("span", { class: "soft" }, " · ") : null, h("span", { class: "reason" }, reasonName(reason))]);
    clear(row.why, this.opener(row, item, ...(reasons.length
      ? [h("span", { class: "soft" }, () => `${t("because")} `), ...short]
      : [h("span", { class: "soft", "aria-hidden": "true" }, () => t("why"))])));
    const largest = Math.max(...[...reasons, ...found.item_reasons].map((reason) => Math.abs(reason.contribution)), 1e-12);
    const bars = (those) => h("ul", { class: "bars" }, those.map((reason) => h("li", {},
      h("span", { class: "reason" }, reasonName(reason)), bar(reason.contribution / largest),
      h("span", { class: "amount" }, () => number(reason.contribution, 3)))));
    clear(row.panel,
      reasons.length ? bars(reasons) : h("p", {}, () => t("why.none")),
      found.item_reasons.length ? [h("p", { class: "soft" }, () => t("why.own")), bars(found.item_reasons)] : null,
      h("p", { class: "soft" },
        reasons.length && knows(`how.${found.method}`) ? () => `${t(`how.${found.method}`)} ` : null,
        found.fidelity ? () => t("fidelity", found.fidelity) : null));
  }
}

function bar(share) {
  const fill = h("i", { class: share < 0 ? "minus" : "plus" });
  fill.style.width = `${Math.max(2, Math.abs(share) * 100)}%`;
  return h("span", { class: "bar", "aria-hidden": "true" }, fill);
}

function reasonName(reason) {
  switch (reason.kind) {
    case "history": return name("item", String(reason.item_id), reason.title);
    case "friend": return h("span", {}, () => t("why.friend", reason.user_id));
    default: return h("span", {}, () => `${columnName(reason.name)}: `, data(reason.value ?? ""));
  }
}

function mark(change) {
  if (!change) return null;
  if (change === "new") return h("b", { class: "mark new" }, () => t("mark.new"));
  const up = change > 0;
  return h("b", { class: `mark ${up ? "up" : "down"}`, title: () => t(up ? "mark.up" : "mark.down", Math.abs(change)) },
    h("span", { "aria-hidden": "true" }, `${up ? "▲" : "▼"}${Math.abs(change)}`),
    h("span", { class: "unseen" }, () => t(up ? "mark.up" : "mark.down", Math.abs(change))));
}
