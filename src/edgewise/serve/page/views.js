/* The pages: where to begin, one user, one item. */
import { ask, enc, freshId } from "./ask.js";
import { clear, data, h, name, shape } from "./dom.js";
import { Graph } from "./graph.js";
import { List } from "./list.js";
import { finder } from "./search.js";
import { columnName, names, number, recalled, remember, t, typeName, when } from "./texts.js";

const K = 10;
const PAGE = 60;

export async function home(about, signal) {
  const stats = await ask("/v1/stats", { signal });
  const figure = (value, key) => h("div", {}, h("dt", {}, () => t(key)), h("dd", {}, value));
  return { box: h("div", { class: "home" },
    h("h1", {}, () => t("home.title")), h("p", { class: "deck" }, () => t("home.text")),
    h("dl", { class: "strip" }, figure(about.name, "home.model"), figure(() => number(about.n_users), "home.nusers"), figure(() => number(about.n_items), "home.nitems"), figure(() => number(stats.last_seq), "home.events")),
    h("h2", {}, () => t("home.users")),
    h("ul", { class: "starts" }, about.users.map((user) => h("li", {}, h("a", { href: `#/user/${enc(user.user_id)}` },
      shape("user"), h("span", { class: "what" }, name("user", user.user_id)), h("small", {}, () => t("has.met", user.n_met)))))),
    h("h2", {}, () => t("home.items")),
    h("ul", { class: "starts" }, about.items.map((item) => h("li", {}, h("a", { href: `#/item/${enc(item.item_id)}` },
      shape("item", "listed"), h("span", { class: "what" }, name("item", item.item_id, item.title)))))),
  ) };
}

const facts = (...those) => h("p", { class: "facts" }, those.filter(Boolean).map((fact) => (typeof fact === "function" ? h("span", {}, fact) : fact)));

function attributes(of) {
  const rows = Object.entries(of);
  if (!rows.length) return null;
  const shown = (value) => (Array.isArray(value) ? value.join(" · ") : String(value).replaceAll("|", " · "));
  return h("dl", { class: "attributes" }, rows.map(([column, value]) => h("div", {}, h("dt", {}, () => columnName(column)), h("dd", { title: shown(value) }, data(shown(value))))));
}

export async function item(id, signal) {
  const [about, like] = await Promise.all([ask(`/v1/items/${enc(id)}`, { signal }), ask(`/v1/similar/${enc(id)}?k=${K}`, { signal })]);
  const list = new List({ title: "like" });
  const graph = new Graph({ kind: "item", id, title: about.title });
  list.show(like);
  return { title: about.title, graph, box: h("div", { class: "view" },
    h("header", { class: "subject" }, h("h1", { title: about.title }, shape("item", "listed"), name("item", id, about.title)),
      facts(about.title !== id ? h("span", {}, () => `${t("item")} `, data(id)) : null, () => t("met.by", about.n_people), about.n_events ? () => t("item.events", about.n_events) : null, about.is_new ? () => t("item.new") : null, !about.is_known ? () => t("item.unknown") : !about.may_be_shown ? () => t("item.hidden") : null),
      attributes(about.attributes)),
    h("div", { class: "column" }, list.box), h("div", { class: "column" }, graph.box)) };
}

export async function user(id, signal, about) {
  const [known, listed] = await Promise.all([ask(`/v1/users/${enc(id)}?n=${PAGE}`, { signal }), ask(`/v1/recommend/${enc(id)}?k=${K}`, { signal })]);
  return new UserView(id, known, listed, about);
}

class UserView {
  constructor(id, known, listed, about) {
    this.id = id;
    this.mayWrite = about.role !== "read";
    this.head = h("header", { class: "subject" });
    this.list = new List({ title: "recommended", explain: id, button: this.mayWrite ? (row) => this.button(row) : null });
    this.graph = new Graph({ kind: "user", id, title: id });
    this.history = h("ul", { class: "history" });
    this.more = h("button", { type: "button", class: "more", hidden: true, on: { click: () => this.showMore() } }, () => t("history.more"));
    this.notice = h("div", { class: "notice toast", role: "status", hidden: true });
    if (this.mayWrite) this.list.tools.append(...this.form());
    const past = h("section", { class: "card past" }, h("header", {}, h("h2", {}, () => t("history"))), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": () => t("history") }, this.history, this.more));
    this.box = h("div", { class: "view" }, this.head, h("div", { class: "column" }, this.list.box), h("div", { class: "column" }, this.graph.box, past), this.notice);
    this.tellUser(known);
    this.list.show(listed);
  }

  get title() { return `${t("user")} ${this.id}`; }

  tellUser(known) {
    this.known = known;
    clear(this.head, h("h1", { title: this.id }, shape("user"), name("user", this.id)),
      facts(known.is_known ? () => t("user.training", known.n_training) : () => t("user.unknown"), known.n_since ? () => t("user.events", known.n_since) : null),
      attributes(known.attributes));
    clear(this.history, this.rows(known.history, null));
    this.next = known.next;
    this.more.hidden = this.next === null;
  }

  rows(history, last) {
    if (!history.length && last === null) return h("li", { class: "empty" }, () => t("history.empty"));
    const found = [];
    for (const row of history) {
      if (row.is_event !== last) {
        last = row.is_event;
        const key = row.is_event ? "history.events" : "history.rest";
        found.push(h("li", { class: "heading" }, () => t(key)));
      }
      const about = row.is_event ? () => [typeName(row.type), when(row.timestamp), row.value !== 1 ? t("history.value", number(row.value, 2)) : ""].filter(Boolean).join(" · ")
        : row.value !== 1 ? () => t("history.value", number(row.value, 2)) : null;
      const what = row.item_id === null
        ? h("a", { href: `#/user/${enc(row.target_user_id)}` }, name("user", row.target_user_id))
        : h("a", { href: `#/item/${enc(row.item_id)}`, title: row.title }, name("item", row.item_id, row.title));
      found.push(h("li", { class: row.counts || row.item_id === null ? "" : "idle" }, shape(row.item_id === null ? "user" : "item", row.is_event ? "event" : "met"), h("span", { class: "what" }, what),
        about ? h("small", {}, about) : null, row.counts || row.item_id === null ? null : h("small", {}, () => t("history.taken"))));
    }
    this.last = last;
    return found;
  }

  async showMore() {
    this.more.disabled = true;
    try {
      const found = await ask(`/v1/users/${enc(this.id)}?n=200&cursor=${this.next}`);
      this.history.append(...this.rows(found.history, this.last));
      this.known.history.push(...found.history);
      this.next = found.next;
      this.more.hidden = this.next === null;
    } finally { this.more.disabled = false; }
  }

  form() {
    const kinds = [...names.types.keys()].filter((type) => !["follow", "unfollow"].includes(type));
    const chosen = kinds.includes(recalled("type")) ? recalled("type") : "like";
    this.type = chosen;
    const option = (type) => h("option", { value: type, selected: type === chosen }, () => typeName(type));
    const takes = kinds.filter((type) => names.types.get(type).undoes);
    const select = h("select", { id: "event-type", on: { change: () => { this.type = select.value; remember("type", this.type); for (const label of this.list.list.querySelectorAll("button.send")) label.retell?.(); } } },
      kinds.filter((type) => !takes.includes(type)).map(option), h("optgroup", { label: () => t("send.takeback") }, takes.map(option)));
    const other = finder({ kind: "item", label: () => t("send.other"), placeholder: () => t("send.other"), keep: true, pick: (found) => { this.other = found; send.focus(); } });
    other.field.addEventListener("input", () => { this.other = null; });
    const send = h("button", { type: "submit", class: "strong" }, () => t("send.do"));
    const form = h("form", { class: "send-other", on: { submit: (event) => {
      event.preventDefault();
      const typed = other.field.value.trim();
      const what = this.other ?? (typed ? { id: typed, title: typed } : null);
      if (!what) { this.say({ bad: true, text: () => t("send.choose") }); other.field.focus(); return; }
      this.other = null;
      other.set("");
      this.send(what.id, what.title);
    } } }, other.box, send);
    return [h("label", { class: "type" }, h("span", {}, () => t("send.each")), select), form];
  }

  button(row) {
    const label = () => typeName(this.type);
    const text = document.createTextNode(label());
    const button = h("button", { type: "button", class: "send", "aria-label": () => t("send.this", typeName(this.type), row.title), on: { click: () => this.send(row.item_id, row.title) } }, text);
    button.retell = () => { text.data = label(); button.setAttribute("aria-label", t("send.this", typeName(this.type), row.title)); };
    return button;
  }

  retell() {
    for (const button of this.list.list.querySelectorAll("button.send")) button.retell?.();
  }

  async send(item, title) {
    if (this.busy) return;
    const type = this.type;
    const opposite = [...names.types].find(([, about]) => about.undoes === type)?.[0];
    const event = { event_id: freshId(), user_id: this.id, item_id: item, type };
    await this.change(() => ask("/v1/events", { method: "POST", body: event }), {
      said: () => t("send.sent", typeName(type)), title, item,
      undo: (known) => {
        // What stood there before must stay: then only the opposite can take the new one back.
        const shown = known.history.filter((row) => row.is_event);
        const isFirst = shown.length === known.n_events && shown.filter((row) => row.item_id === item && row.type === type).length === 1;
        if (isFirst) return () => ask(`/api/feedback/${enc(type)}/${enc(this.id)}/${enc(item)}`, { method: "DELETE" });
        return opposite ? () => ask("/v1/events", { method: "POST", body: { ...event, event_id: freshId(), type: opposite } }) : null;
      },
    });
  }

  /* Change something, look again, and tell what became of the list. */
  async change(act, { said, title, item, undo }) {
    this.busy = true;
    this.box.setAttribute("aria-busy", "true");
    const started = performance.now();
    try {
      await act();
      const listed = await ask(`/v1/recommend/${enc(this.id)}?k=${K}`);
      const took = performance.now() - started;
      const changes = this.list.show(listed, { marks: true });
      changes.gone = changes.gone.filter((gone) => gone.id !== item);
      const known = await ask(`/v1/users/${enc(this.id)}?n=${PAGE}`);
      this.tellUser(known);
      this.say({ text: said, title, took, changes, undo: undo?.(known) });
      if (this.graph.centre.kind === "user" && this.graph.centre.id === this.id) this.graph.again();
    } catch (error) {
      this.say({ bad: true, text: () => t("send.failed"), more: error.kind === "role" ? () => t("trouble.role") : error.message });
    } finally {
      this.busy = false;
      this.box.removeAttribute("aria-busy");
    }
  }

  say({ bad = false, text, title, more, took, changes, undo }) {
    this.notice.hidden = false;
    this.notice.className = `notice toast${bad ? " bad" : ""}`;
    const wasInList = !document.activeElement || document.activeElement === document.body || this.notice.contains(document.activeElement);
    clear(this.notice, h("div", { class: "said" },
      h("p", {}, h("strong", {}, text), title ? h("span", {}, ": ", data(title)) : null, more ? h("span", {}, " · ", more) : null,
        took ? h("small", {}, () => ` ${t("send.took", number(took))}`) : null),
      changes ? h("p", {}, () => (changes.moved ? t("send.changed", changes.moved, changes.of) : t("send.same")),
        changes.gone.length ? [() => ` ${t("send.gone")} `, changes.gone.slice(0, 4).map((gone, i) => [i ? ", " : "", data(gone.title, { class: "gone" })])] : null) : null),
      h("div", { class: "do" },
        undo ? h("button", { type: "button", class: "undo", on: { click: () => this.change(undo, { said: () => t("send.undone"), title, item: null }) } }, () => t("send.undo")) : null,
        h("button", { type: "button", class: "close", "aria-label": () => t("send.close"), on: { click: () => { this.notice.hidden = true; } } }, "×")));
    // The button that was pressed is gone with its row: go on where it can be taken back.
    if (wasInList) this.notice.querySelector("button").focus({ preventScroll: true });
  }

  /* Another model answers: look again. */
  async again() {
    this.list.show(await ask(`/v1/recommend/${enc(this.id)}?k=${K}`), { marks: true });
    this.tellUser(await ask(`/v1/users/${enc(this.id)}?n=${PAGE}`));
    this.graph.again();
  }
}
