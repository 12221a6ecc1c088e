/* The frame: which page is shown, search, language, theme, key, and what is said when the server is away. */
import { ask, enc, hasKey, keepKey, page } from "./ask.js";
import { clear, h, retell } from "./dom.js";
import { finder } from "./search.js";
import { live, models } from "./server.js";
import { language, ms, names, rate, recalled, remember, speak, t } from "./texts.js";
import { home, item, user } from "./views.js";

const root = document.documentElement;
const at = (id) => document.getElementById(id);
let about = null;
let view = null;
let asked = null;

/* Theme: the system's, unless chosen. */
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
if (["light", "dark"].includes(recalled("theme"))) root.dataset.theme = recalled("theme");
at("theme").addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  remember("theme", root.dataset.theme);
});

/* Language. */
at("language").addEventListener("click", () => {
  speak(language() === "zh" ? "en" : "zh");
  frame();
  retell();
  view?.retell?.();
  view?.graph?.retell();
});

function frame() {
  for (const [id, key] of [["to-explore", "explore"], ["to-models", "models"], ["to-live", "live"], ["language", "language"], ["skip", "skip"]]) at(id).textContent = t(key);
  at("language").setAttribute("aria-label", t("language.label"));
  for (const [id, key] of [["theme", "theme.label"], ["key", "key.change"]]) { at(id).setAttribute("aria-label", t(key)); at(id).title = t(key); }
  at("pages").setAttribute("aria-label", t("nav.label"));
  const title = typeof view?.title === "function" ? view.title() : view?.title;
  document.title = title ? t("title.of", title) : t("title");
  if (latest) tellStatus(latest);
  if (trouble) tellTrouble(trouble);
}

at("skip").addEventListener("click", (event) => { event.preventDefault(); at("main").focus(); }); // the part behind # is the page

/* Search, from everywhere with /. */
const search = finder({
  label: () => t("search"), placeholder: () => (matchMedia("(hover: hover)").matches ? `${t("search")}  ( / )` : t("search")), newUsers: true,
  pick: (found) => { location.hash = `#/${found.kind}/${enc(found.id)}`; },
});
at("search").append(search.box);
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, dialog[open]")) return;
  event.preventDefault();
  search.field.focus();
  search.field.select();
});

/* The key: asked for when the server wants one. */
let waiting = null;
page.needKey = (why) => {
  if (waiting && why === "wrong") tellKey(why);
  waiting ??= new Promise((resolve) => {
    const dialog = at("ask-key");
    tellKey(why);
    dialog.done = () => { waiting = null; dialog.close(); at("key").hidden = false; resolve(); };
    if (!dialog.open) dialog.showModal();
  });
  return waiting;
};
function tellKey(why) {
  const field = h("input", { type: "password", id: "given-key", autocomplete: "off", required: true, spellcheck: "false", maxlength: "1000" });
  const dialog = at("ask-key");
  clear(dialog, h("form", { on: { submit: (event) => {
    event.preventDefault();
    const key = field.value.trim();
    if (!key) return;
    if (/[^\x21-\x7e]/.test(key)) return tellKey("wrong"); // no header can carry it
    keepKey(key);
    dialog.done();
  } } },
  h("h2", { id: "key-title" }, () => t("key.title")), h("p", {}, () => t("key.text")), h("label", { for: "given-key" }, () => t("key.label")), field,
  why === "wrong" ? h("p", { class: "bad", role: "alert" }, () => t("key.wrong")) : null,
  h("div", { class: "do" },
    about && why === "change" ? h("button", { type: "button", on: { click: () => dialog.done(false) } }, () => t("key.cancel")) : null,
    why === "change" ? h("button", { type: "button", on: { click: () => { keepKey(null); location.reload(); } } }, () => t("key.forget")) : null,
    h("button", { type: "submit", class: "strong" }, () => t("key.use")))));
  if (dialog.open) field.focus();
}
at("ask-key").addEventListener("cancel", (event) => { if (!about) event.preventDefault(); else at("ask-key").done?.(); });
at("key").addEventListener("click", () => {
  const dialog = at("ask-key");
  tellKey("change");
  dialog.done = (changed = true) => { dialog.close(); if (changed && hasKey()) location.reload(); };
  dialog.showModal();
});

/* When the server is away. */
let trouble = null;
function tellTrouble(why) {
  trouble = why;
  const box = at("trouble");
  box.hidden = !why;
  clear(box, why ? h("p", {}, h("strong", {}, () => t(`trouble.${why}`)), " ", h("span", {}, () => t("trouble.retry"))) : null);
}
page.lost = (why) => {
  if (trouble) return;
  tellTrouble(why);
  root.dataset.server = "away";
  const look = async () => {
    let answer = null;
    try { answer = await fetch("/api/health/ready", { cache: "no-store" }); } catch { /* still away */ }
    if (answer?.ok) {
      tellTrouble(null);
      delete root.dataset.server;
      if (!view) show();
      return;
    }
    tellTrouble(answer ? "busy" : "down");
    setTimeout(look, 1200);
  };
  setTimeout(look, 1200);
};

/* What goes on, in the corner. */
let latest = null;
function tellStatus(stats) {
  latest = stats;
  const box = at("status");
  clear(box, h("i", { class: "pulse", "aria-hidden": "true" }), h("span", { class: "unseen" }, `${t("live")}: ${t("live.status")} `), h("span", {}, `${ms(stats.latency_ms.p50)} · ${rate(stats.requests_per_s)}/s`));
}
async function tick() {
  const isLive = location.hash.startsWith("#/live");
  if (about && !document.hidden && !at("ask-key").open && !trouble) {
    try {
      const stats = await ask("/v1/stats", { patient: false });
      const other = about.model !== stats.model;
      tellStatus(stats);
      view?.show?.(stats);
      if (other) await swapped();
    } catch { /* told where it is shown */ }
  }
  setTimeout(tick, !latest ? 400 : isLive ? 1000 : 3000);
}

async function swapped() {
  await meet();
  const box = at("told");
  box.hidden = false;
  clear(box, h("p", {}, () => t("trouble.swapped", about.name)), h("button", { type: "button", class: "close", "aria-label": () => t("send.close"), on: { click: () => { box.hidden = true; } } }, "×"));
  try { await (view?.again?.() ?? (view ? show() : null)); } catch { /* the page says so where it can */ }
}

/* What is served, and what the key may do. */
async function meet() {
  about = await ask("/v1/about");
  names.columns = about.columns;
  names.types = new Map(about.event_types.map((each) => [each.type, each]));
  at("key").hidden = !about.is_key_needed;
}

/* Which page. */
function route() {
  const [, kind, rest] = /^#\/([a-z]*)(?:\/(.*))?$/s.exec(location.hash || "#/") ?? [null, "?"];
  let id = "";
  try { id = decodeURIComponent(rest ?? ""); } catch { id = rest; }
  return { kind, id };
}

async function show() {
  asked?.abort();
  const control = (asked = new AbortController());
  const { kind, id } = route();
  const main = at("main");
  const nav = { user: "explore", item: "explore", "": "explore", models: "models", live: "live" }[kind];
  for (const each of ["explore", "models", "live"]) if (each === nav) at(`to-${each}`).setAttribute("aria-current", "page"); else at(`to-${each}`).removeAttribute("aria-current");
  const slow = setTimeout(() => { main.classList.add("waiting"); if (!view) clear(main, h("p", { class: "soft centred" }, () => t("loading"))); }, 150);
  try {
    if (!about) await meet();
    const makes = { "": () => home(about, control.signal), user: () => user(id, control.signal, about), item: () => item(id, control.signal), models: () => models(control.signal, about, () => meet()), live: () => live() };
    const next = kind in makes && (id || !["user", "item"].includes(kind)) ? await makes[kind]() : { box: h("p", { class: "soft centred" }, () => t("nowhere")) };
    if (control.signal.aborted) return;
    view = next;
    clear(main, view.box);
    if (latest) view.show?.(latest);
    scrollTo(0, 0);
    if (moved) main.focus({ preventScroll: true });
    moved = false;
  } catch (error) {
    if (error.name === "AbortError") return;
    view = null;
    clear(main, h("div", { class: "problem", role: "alert" }, h("p", {}, error.message), h("button", { type: "button", on: { click: show } }, () => t("trouble.again"))));
  } finally {
    clearTimeout(slow);
    if (asked === control) main.classList.remove("waiting");
    frame();
  }
}

let moved = false;
addEventListener("hashchange", () => { moved = true; search.set(""); at("told").hidden = true; show(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && !view && !trouble) show(); });
frame();
show();
tick();
