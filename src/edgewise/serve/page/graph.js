/* The neighbourhood as a graph to walk: items on both sides, people between them, the one it is about in the middle. */
import { ask, enc } from "./ask.js";
import { calm, clear, h, name, nameText, s, shape } from "./dom.js";
import { noteText, t } from "./texts.js";

const N = 8; // of each kind of item
const PEOPLE = 6;
const measure = document.createElement("canvas").getContext("2d");

/* Break a text into lines that fit, the last one with dots where more would follow. */
function lines(text, width, most, font) {
  measure.font = font;
  const fits = (part) => measure.measureText(part).width <= width;
  const letters = [...text.replace(/\s+/g, " ").trim()].slice(0, 160);
  const found = [];
  let rest = letters;
  while (rest.length && found.length < most) {
    let size = rest.length;
    if (!fits(rest.join(""))) {
      let low = 1;
      let high = rest.length;
      while (low < high) { // the longest beginning that fits
        const middle = Math.ceil((low + high) / 2);
        if (fits(rest.slice(0, middle).join(""))) low = middle; else high = middle - 1;
      }
      size = low;
      const space = rest.slice(0, size + 1).lastIndexOf(" ");
      if (space > size / 3) size = space;
    }
    if (found.length === most - 1 && size < rest.length) {
      while (size > 1 && !fits(`${rest.slice(0, size).join("").trimEnd()}…`)) size -= 1;
      found.push(`${rest.slice(0, size).join("").trimEnd()}…`);
      return found;
    }
    found.push(rest.slice(0, size).join("").trim());
    rest = rest.slice(size);
    while (rest[0] === " ") rest = rest.slice(1);
  }
  return found;
}

export class Graph {
  /* start: {kind, id, title}. */
  constructor(start) {
    this.start = start;
    this.trail = [start];
    this.at = new Map(); // where each node was drawn, by key
    this.trailBox = h("nav", { class: "trail", "aria-label": () => t("graph.trail") });
    this.svg = s("svg", { class: "graph", role: "group" });
    this.edges = s("g", { class: "edges", "aria-hidden": "true" });
    this.nodes = s("g", { class: "nodes" });
    this.svg.append(this.edges, this.nodes);
    this.told = h("p", { class: "told" });
    this.legend = h("p", { class: "legend" });
    this.stage = h("div", { class: "stage" }, this.svg);
    this.box = h("section", { class: "card around" },
      h("header", {}, h("h2", {}, () => t("around")), this.trailBox), this.stage, this.told, this.legend,
      h("p", { class: "hint" }, () => t("graph.help")));
    this.svg.addEventListener("keydown", (event) => this.press(event));
    this.width = 0;
    new ResizeObserver(() => {
      const width = Math.round(this.stage.clientWidth);
      if (width && width !== this.width) { this.width = width; this.retell(); }
    }).observe(this.stage);
    this.walk(start, { first: true });
  }

  get centre() { return this.trail[this.trail.length - 1]; }

  /* Go to a node; the ones before it stay in the trail. */
  async walk(to, { first = false, back = false, focus = false } = {}) {
    this.asked?.abort();
    const control = (this.asked = new AbortController());
    this.stage.setAttribute("aria-busy", "true");
    try {
      const found = await ask(`/v1/neighbourhood/${to.kind}/${enc(to.id)}?n=${N}&n_people=${PEOPLE}`, { signal: control.signal });
      if (!first && !back && key(this.centre) !== key(to)) this.trail.push(to);
      this.trail = this.trail.slice(-7);
      this.found = found;
      this.problem = null;
      this.draw(!first);
      if (focus) this.nodes.querySelector('[data-role="centre"]')?.focus();
    } catch (error) {
      if (error.name === "AbortError") return;
      clear(this.told, error.message);
    } finally {
      if (this.asked === control) this.stage.removeAttribute("aria-busy");
    }
  }

  /* Draw what is known once more: for another width or language. */
  retell() { if (this.found) this.draw(false); }

  again() { return this.walk(this.centre, { back: true }); }

  back() {
    if (this.trail.length < 2) return;
    this.trail.pop();
    this.walk(this.centre, { back: true, focus: true });
  }

  tellTrail() {
    clear(this.trailBox, this.trail.map((step, i) => {
      const last = i === this.trail.length - 1;
      const inner = [shape(step.kind), name(step.kind, step.id, step.title)];
      if (!last) return h("button", { type: "button", on: { click: () => { this.trail = this.trail.slice(0, i + 1); this.walk(step, { back: true }); } } }, inner);
      if (key(step) === key(this.start)) return h("span", { class: "here", "aria-current": "true" }, inner);
      return h("a", { class: "here", "aria-current": "true", href: `#/${step.kind}/${enc(step.id)}`, title: () => t("graph.open") }, inner, h("b", { "aria-hidden": "true" }, "↗"));
    }));
  }

  /* Work out where everything stands. */
  places() {
    const width = this.width || 640;
    const wide = width >= 560;
    const { nodes } = this.found;
    const label = wide ? Math.min(200, width * 0.28) : Math.min(150, width * 0.3);
    const items = nodes.map((node, i) => i).filter((i) => nodes[i].kind === "item" && i > 0);
    const people = nodes.map((node, i) => i).filter((i) => nodes[i].kind === "user" && i > 0);
    const isLeft = (i) => (nodes[i].role === "met" || (nodes[i].role === "like" && nodes[i].rank % 2 === 1));
    const left = items.filter(isLeft);
    const right = items.filter((i) => !isLeft(i));
    const step = 46;
    const tallest = Math.max(left.length, right.length, people.length ? 6 : 3);
    const height = tallest * step + 24;
    const middle = { x: width / 2, y: height / 2 };
    const inner = width / 2 - label - 14;
    const at = [{ ...middle, side: "centre", label: Math.max(64, Math.min(150, 2 * inner - 26)) }];
    const column = (those, side) => those.forEach((i, k) => {
      const y = height / 2 + (k - (those.length - 1) / 2) * step;
      const bend = ((y - height / 2) / (height / 2)) ** 2 * (wide ? 22 : 8); // the ends bend in towards the middle
      at[i] = { x: side === "left" ? label + 14 + bend : width - label - 14 - bend, y, side, label: label + bend - 6 };
    });
    column(left, "left");
    column(right, "right");
    const rx = Math.min(inner * 0.58, 130);
    const ry = Math.min(height / 2 - 26, 170);
    const nAbove = Math.ceil(people.length / 2);
    people.forEach((i, k) => {
      // In an arc above the middle and one below it, which leaves room for the name of the centre.
      const [place, n, spread, turn] = k < nAbove ? [k, nAbove, 2.1, -Math.PI / 2] : [k - nAbove, people.length - nAbove, -1.6, Math.PI / 2];
      const angle = turn + (n > 1 ? place / (n - 1) - 0.5 : 0) * spread;
      at[i] = { x: middle.x + rx * Math.cos(angle), y: middle.y + ry * Math.sin(angle), side: "person", label: Math.max(46, Math.min(90, rx)) };
    });
    return { at, width, height, wide };
  }

  draw(moving) {
    const { nodes, edges } = this.found;
    const { at, width, height, wide } = this.places();
    const before = this.at;
    const from = before.get(key(this.found)) ?? { x: width / 2, y: height / 2 };
    const kept = new Map([...this.nodes.children].map((group) => [group.dataset.key, group]));
    const focused = document.activeElement?.closest?.(".node")?.dataset.key;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    const centre = nodes[0];
    this.svg.setAttribute("aria-label", t("graph.label", nameText(centre.kind, centre.id, centre.title)));
    const font = getComputedStyle(document.body).fontFamily;
    const marks = nodes.map((node, i) => {
      if (i === 0) return "centre";
      const own = edges.find((edge) => edge.from === 0 && edge.to === i)?.kind;
      return node.kind === "item" && own === "event" ? "event" : node.role;
    });
    this.marks = marks;
    this.at = new Map();
    clear(this.nodes, nodes.map((node, i) => {
      const k = key(node);
      const group = kept.get(k);
      const fresh = this.node(node, i, at[i], marks[i], font, wide);
      const old = group ? before.get(k) : null;
      fresh.style.transform = `translate(${at[i].x}px, ${at[i].y}px)`;
      this.at.set(k, at[i]);
      if (moving && !calm()) {
        const start = old ?? from;
        fresh.animate([
          { transform: `translate(${start.x}px, ${start.y}px)`, opacity: old ? 1 : 0 },
          { transform: `translate(${at[i].x}px, ${at[i].y}px)`, opacity: 1 },
        ], { duration: 420, easing: "cubic-bezier(.3,.7,.2,1)" });
      }
      return fresh;
    }));
    clear(this.edges, edges.map((edge) => {
      const [one, other] = [at[edge.from], at[edge.to]];
      const people = nodes[edge.from].kind === "user" && nodes[edge.to].kind === "user";
      const line = s("path", { class: `edge ${edge.kind}${edge.from === 0 ? " own" : ""}`, d: people ? straight(one, other) : curve(one, other) });
      line.dataset.ends = `${edge.from} ${edge.to}`;
      if (moving && !calm()) line.animate([{ opacity: 0 }, { opacity: 0, offset: 0.5 }, {}], { duration: 620 });
      return line;
    }));
    this.tellTrail();
    this.tellLegend();
    this.tell(null);
    if (focused) (this.nodes.querySelector(`[data-key="${CSS.escape(focused)}"]`) ?? this.nodes.firstElementChild)?.focus();
  }

  node(node, i, at, mark, font, wide) {
    const about = () => [
      nameText(node.kind, node.id, node.title), t(`role.${mark}`), node.rank ? t("node.rank", node.rank) : "",
      t(node.kind === "item" ? "met.by" : "has.met", node.n_met),
    ].filter(Boolean).join(", ");
    const group = s("g", {
      class: `node ${node.kind} ${mark}`, role: "button", tabindex: i === 0 ? "0" : "-1", "aria-label": about, "data-key": key(node), "data-role": node.role,
      on: {
        click: () => this.enter(i), pointerenter: () => this.tell(i), pointerleave: () => this.tell(null),
        focus: () => { this.only(i); this.tell(i); }, blur: () => this.tell(null),
      },
    });
    const size = mark === "centre" ? 15 : node.kind === "item" ? 9 : 8;
    const target = s("rect", { class: "target", ...reach(at, wide) });
    const body = node.kind === "item"
      ? s("rect", { class: "body", x: -size, y: -size, width: 2 * size, height: 2 * size, rx: size * 0.36 })
      : s("circle", { class: "body", r: size });
    group.append(target, body);
    if (node.rank && mark !== "centre") group.append(s("text", { class: "rank", "aria-hidden": "true", y: 3.6, "text-anchor": "middle" }, String(node.rank)));
    const small = wide ? 12.5 : 11.5;
    const isTitle = node.kind === "item" && node.title && node.title !== node.id;
    const text = isTitle ? node.title : mark === "person" ? node.id : nameText(node.kind, node.id, node.title);
    const rows = lines(text, at.label, mark === "person" ? 1 : mark === "centre" && !wide ? 3 : 2, `${mark === "centre" ? "600 " : ""}${mark === "centre" ? 13 : small}px ${font}`);
    const x = at.side === "left" ? -16 : at.side === "right" ? 16 : 0;
    const anchor = at.side === "left" ? "end" : at.side === "right" ? "start" : "middle";
    const first = at.side === "centre" ? size + 15 : at.side === "person" ? 19 : rows.length > 1 ? -3 : 4.2;
    rows.forEach((row, line) => group.append(s("text", { class: "label", "aria-hidden": "true", x, y: first + line * 14.5, "text-anchor": anchor, "font-size": mark === "centre" ? 13 : small }, row)));
    return group;
  }

  /* Let one node be what the Tab key reaches. */
  only(i) { [...this.nodes.children].forEach((group, place) => group.setAttribute("tabindex", place === i ? "0" : "-1")); }

  enter(i) {
    const node = this.found.nodes[i];
    if (i === 0) {
      if (key(node) !== key(this.start)) location.hash = `#/${node.kind}/${enc(node.id)}`;
    } else this.walk({ kind: node.kind, id: node.id, title: node.title }, { focus: true });
  }

  /* Bring out one node, and what it is joined with. */
  tell(i) {
    this.svg.classList.toggle("choosing", i !== null && i !== 0);
    const near = new Set([i]);
    for (const line of this.edges.children) {
      const [one, other] = line.dataset.ends.split(" ").map(Number);
      const is = i !== null && (one === i || other === i);
      line.classList.toggle("bright", is && i !== 0);
      if (is) { near.add(one); near.add(other); }
    }
    [...this.nodes.children].forEach((group, place) => group.classList.toggle("near", near.has(place)));
    const node = this.found.nodes[i ?? 0];
    const says = [name(node.kind, node.id, node.title), () => ` · ${t(node.kind === "item" ? "met.by" : "has.met", node.n_met)}`];
    if (this.found.nodes.length === 1) says.push(() => ` · ${t("graph.alone")}`);
    else if (this.found.note && this.found.kind === "item" && (i ?? 0) === 0) says.push(() => ` · ${noteText(this.found.note)}`);
    clear(this.told, h("span", {}, says));
  }

  tellLegend() {
    const kinds = [["item", "met"], ["item", "event"], ["item", "listed"], ["item", "like"]].filter(([, mark]) => this.marks.includes(mark));
    const rows = kinds.map(([kind, mark]) => h("span", {}, shape(kind, mark), () => t(`role.${mark}`)));
    if (this.marks.includes("person")) rows.push(h("span", {}, shape("user"), () => t(`people.${this.found.source}`)));
    clear(this.legend, rows);
  }

  press(event) {
    const group = event.target.closest(".node");
    if (!group || event.altKey || event.ctrlKey || event.metaKey) return;
    const i = [...this.nodes.children].indexOf(group);
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (ways[event.key]) {
      event.preventDefault();
      const next = this.towards(i, ways[event.key]);
      if (next !== null) this.nodes.children[next].focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.enter(i);
    } else if (event.key === "Backspace") {
      event.preventDefault();
      this.back();
    } else if (event.key === "Home") {
      event.preventDefault();
      this.nodes.firstElementChild.focus();
    }
  }

  /* The nearest node in a direction, one to the side counting as farther. */
  towards(i, [dx, dy]) {
    const places = this.found.nodes.map((node) => this.at.get(key(node)));
    let best = null;
    let least = Infinity;
    places.forEach((place, other) => {
      const along = (place.x - places[i].x) * dx + (place.y - places[i].y) * dy;
      const across = Math.abs((place.x - places[i].x) * dy) + Math.abs((place.y - places[i].y) * dx);
      const cost = along + 2.2 * across;
      if (other !== i && along > 4 && across < along * 2.5 && cost < least) { least = cost; best = other; }
    });
    return best;
  }
}

const key = (node) => `${node.kind}:${node.id}`;
const near = (value) => Math.round(value * 10) / 10;
const straight = (a, b) => `M${near(a.x)} ${near(a.y)}L${near(b.x)} ${near(b.y)}`;
function curve(a, b) {
  const pull = (b.x - a.x) * 0.45;
  return `M${near(a.x)} ${near(a.y)}C${near(a.x + pull)} ${near(a.y)} ${near(b.x - pull)} ${near(b.y)} ${near(b.x)} ${near(b.y)}`;
}

/* The part of the drawing that belongs to a node when one points or taps. */
function reach(at, wide) {
  const half = 22;
  if (at.side === "left") return { x: -at.label - 14, y: -half, width: at.label + 32, height: 2 * half };
  if (at.side === "right") return { x: -18, y: -half, width: at.label + 32, height: 2 * half };
  return { x: -24, y: -16, width: 48, height: at.side === "centre" ? 64 : wide ? 42 : 40 };
}
