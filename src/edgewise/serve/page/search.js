/* A field that finds users and items as one types: arrows choose, Enter opens, Escape closes. */
import { ask, enc } from "./ask.js";
import { clear, h, name, shape } from "./dom.js";
import { t } from "./texts.js";

let n = 0;

/* kind: "item" finds items alone. pick({kind, id, title}) is called with what was chosen. newUsers: offer to open an unknown id. */
export function finder({ kind = null, label, placeholder, pick, newUsers = false, keep = false }) {
  const id = `find-${(n += 1)}`;
  let options = [];
  let at = -1;
  let waiting = null;
  let asked = null;
  const list = h("ul", { id, class: "found", role: "listbox", hidden: true, "aria-label": () => t("search.results") });
  const told = h("span", { class: "unseen", role: "status" });
  const field = h("input", {
    type: "search", role: "combobox", autocomplete: "off", spellcheck: "false", autocapitalize: "off", maxlength: "200",
    "aria-label": label, placeholder, "aria-expanded": "false", "aria-controls": id, "aria-autocomplete": "list",
    on: {
      input: () => { clearTimeout(waiting); waiting = setTimeout(look, 120); },
      keydown: press,
      focus: () => { if (options.length) open(true); },
      blur: () => setTimeout(() => { if (document.activeElement !== field) open(false); }, 150),
    },
  });
  const box = h("div", { class: "finder" }, field, list, told);

  function open(yes) {
    list.hidden = !yes;
    field.setAttribute("aria-expanded", String(yes));
    if (!yes) field.removeAttribute("aria-activedescendant");
  }

  function choose(place) {
    at = place;
    [...list.children].forEach((row, i) => row.setAttribute("aria-selected", String(i === at)));
    const row = list.children[at];
    if (row) { field.setAttribute("aria-activedescendant", row.id); row.scrollIntoView({ block: "nearest" }); }
    else field.removeAttribute("aria-activedescendant");
  }

  function take(option) {
    clearTimeout(waiting);
    asked?.abort();
    open(false);
    options = [];
    field.value = keep ? (option.title || option.id) : "";
    pick(option);
  }

  async function look() {
    const text = field.value.trim();
    asked?.abort();
    if (!text) { options = []; clear(list); told.textContent = ""; return open(false); }
    const control = (asked = new AbortController());
    try {
      const { found } = await ask(`/v1/search?n=8&q=${enc(text)}${kind ? `&kind=${kind}` : ""}`, { signal: control.signal });
      if (control.signal.aborted) return;
      options = found.map((each) => ({ ...each }));
      if (newUsers && !found.some((each) => each.kind === "user" && each.is_exact)) options.push({ kind: "user", id: text, title: text, isNew: true });
      show(text);
    } catch (error) {
      if (error.name === "AbortError") return;
      options = [];
      clear(list, h("li", { class: "none" }, error.message));
      open(true);
    }
  }

  function show(text) {
    const rows = options.map((option, i) => h("li", {
      id: `${id}-${i}`, role: "option", "aria-selected": "false", class: option.isNew ? "new" : "",
      on: { pointerdown: (event) => event.preventDefault(), click: () => take(option), pointermove: () => { if (at !== i) choose(i); } },
    },
    shape(option.kind),
    option.isNew ? h("span", { class: "what" }, () => t("search.open", option.id)) : h("span", { class: "what" }, name(option.kind, option.id, option.title)),
    option.isNew ? null : h("small", {}, () => t(option.kind === "item" ? "met.by" : "has.met", option.n_met))));
    clear(list, rows.length ? rows : h("li", { class: "none" }, () => t("search.none")));
    told.textContent = t("search.count", options.filter((option) => !option.isNew).length);
    at = -1;
    open(document.activeElement === field);
    if (options[0] && text) choose(0);
  }

  async function press(event) {
    if (event.isComposing) return; // Enter ends a Chinese word, not the search
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden && options.length) open(true);
      if (options.length) choose((at + (event.key === "ArrowDown" ? 1 : options.length - 1) + (at < 0 && event.key === "ArrowUp" ? 1 : 0)) % options.length);
    } else if (event.key === "Enter") {
      event.preventDefault();
      clearTimeout(waiting);
      if (list.hidden || !options.length) await look();
      const option = options[Math.max(0, at)];
      if (option) take(option);
    } else if (event.key === "Escape") {
      if (!list.hidden) { event.stopPropagation(); open(false); } else { field.value = ""; field.blur(); }
    }
  }

  return { box, field, set: (text) => { asked?.abort(); clearTimeout(waiting); field.value = text; options = []; open(false); } };
}
