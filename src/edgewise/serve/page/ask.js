/* Asking the server: the key, what to do when it does not answer, and errors as texts for people. */
import { t } from "./texts.js";

const KEY = "edgewise-key";
let held = null; // where a browser keeps nothing for pages, for as long as this one is open
const stored = { get() { try { return sessionStorage.getItem(KEY) ?? held; } catch { return held; } } };

export const hasKey = () => Boolean(stored.get());
export function keepKey(key) {
  held = key;
  try { if (key) sessionStorage.setItem(KEY, key); else sessionStorage.removeItem(KEY); } catch { /* kept in memory */ }
}

export class Trouble extends Error {
  constructor(kind, text, status = 0) {
    super(text);
    this.kind = kind; // down, busy, key, role, other
    this.status = status;
  }
}

/* Set by the page: how to get a key from the person (resolves when there is one), and what to do when the server is away. */
export const page = { needKey: async () => {}, lost: () => {} };

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function ask(path, { method = "GET", body, signal, patient = true } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    const key = stored.get();
    const headers = {};
    if (key) headers["X-API-Key"] = key;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let answer;
    try {
      answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal, cache: "no-store" });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      page.lost("down");
      throw new Trouble("down", t("trouble.down"));
    }
    if (answer.ok) return answer.json();
    const told = await answer.json().then((found) => found.error, () => "");
    if (answer.status === 401) {
      if (key && key === stored.get()) keepKey(null); // a wrong one is not kept
      await page.needKey(key ? "wrong" : "missing");
      continue;
    }
    if ((answer.status === 503 || answer.status === 429) && patient && attempt < 3) {
      await pause(500 * 2 ** attempt);
      if (signal?.aborted) throw new DOMException("", "AbortError");
      continue;
    }
    if (answer.status === 503) page.lost("busy");
    const kind = { 503: "busy", 429: "busy", 403: "role" }[answer.status] ?? "other";
    throw new Trouble(kind, told || t("trouble.other", answer.status), answer.status);
  }
}

export const enc = encodeURIComponent;

export function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
