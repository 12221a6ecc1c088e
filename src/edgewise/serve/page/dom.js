/* Elements without markup: whatever comes from the server is set as text, and every text of ours is asked for again when the
   language changes. */
import { t } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const spoken = new Map(); // text nodes and [element, attribute] pairs, to what they say

function remember(node, target, say) {
  if (spoken.size > 3000) for (const [key, told] of spoken) if (!told.node.isConnected) spoken.delete(key);
  spoken.set(target, { node, say });
}

/* Say everything again, in the language of now. */
export function retell() {
  for (const [target, { node, say }] of spoken) {
    if (!node.isConnected) spoken.delete(target);
    else if (Array.isArray(target)) node.setAttribute(target[1], say());
    else node.data = say();
  }
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (typeof value === "function") { node.setAttribute(name, value()); remember(node, [node, name], value); }
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(3)) {
    if (child === undefined || child === null || child === false) continue;
    if (typeof child === "function") {
      const text = document.createTextNode(child());
      remember(text, text, child);
      node.append(text);
    } else node.append(child);
  }
  return node;
}

/* h("p", {class: "note"}, "text", () => t("text.of.ours"), otherNode) */
export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);

/* A text from the data, in a direction of its own. */
export const data = (text, props) => h("bdi", props, String(text));

export const clear = (node, ...children) => { node.replaceChildren(...children.flat(2).filter(Boolean)); return node; };

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/* The shapes of the graph: a circle for a person, a square for an item. */
export const shape = (kind, role = "") => h("i", { class: `shape ${kind} ${role}`, "aria-hidden": "true" });

/* What to call a user or an item; an id alone says of what. */
export function name(kind, id, title) {
  const has = kind === "item" && title && title !== id;
  return has ? data(title) : h("span", {}, () => `${t(kind)} `, data(id, { class: "id" }));
}
export const nameText = (kind, id, title) => (kind === "item" && title && title !== id ? title : `${t(kind)} ${id}`);
