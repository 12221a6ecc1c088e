/* The report's behaviour: language, theme, tips, sorting, tabs, copying and the map. No library, no network; whatever
   comes from the data is written with textContent or fillText, never as markup. */
(() => {
  "use strict";
  const root = document.documentElement;
  const remember = (key, value) => { try { localStorage.setItem(`edgewise-report-${key}`, value); } catch { /* private mode */ } };
  const recall = (key) => { try { return localStorage.getItem(`edgewise-report-${key}`); } catch { return null; } };
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const chinese = () => root.dataset.lang === "zh";
  const listeners = [];
  const changed = () => listeners.forEach((listener) => listener());

  /* Language and theme, set before the page is drawn. */
  const asked = /lang=(en|zh)/.exec(location.hash)?.[1];
  const guess = (navigator.language || "").toLowerCase().startsWith("zh") ? "zh" : "en";
  const known = (value, values) => (values.includes(value) ? value : null);
  root.dataset.lang = asked || known(recall("lang"), ["en", "zh"]) || guess;
  root.lang = root.dataset.lang === "zh" ? "zh-CN" : "en";
  root.classList.add("js");
  const theme = known(recall("theme"), ["light", "dark"]);
  if (theme) root.dataset.theme = theme;

  const english = { "aria-label": new Map(), placeholder: new Map() };
  function speak(language) {
    root.dataset.lang = language;
    root.lang = language === "zh" ? "zh-CN" : "en";
    for (const name of Object.keys(english)) {
      for (const node of all(`[data-${name}-zh]`)) {
        const own = english[name];
        if (!own.has(node)) own.set(node, node.getAttribute(name));
        node.setAttribute(name, language === "zh" ? node.getAttribute(`data-${name}-zh`) : own.get(node));
      }
    }
    const title = document.querySelector("title");
    title.dataset.en ??= title.textContent;
    title.textContent = title.dataset[language];
    changed();
  }
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  function switches() {
    document.getElementById("language").addEventListener("click", () => {
      speak(chinese() ? "en" : "zh");
      remember("lang", root.dataset.lang);
    });
    document.getElementById("theme").addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      remember("theme", root.dataset.theme);
      changed();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  }

  /* Tips: one box for all, for the pointer, the finger and the keyboard. */
  const tip = { show() {}, hide() {} };
  function tips() {
    const box = document.getElementById("tip");
    tip.show = (words, x, y) => {
      box.textContent = words;
      box.hidden = false;
      const { width, height } = box.getBoundingClientRect();
      box.style.left = `${Math.max(8, Math.min(x - width / 2, innerWidth - width - 8))}px`;
      box.style.top = `${y - height - 14 > 8 ? y - height - 14 : y + 18}px`;
    };
    tip.hide = () => { box.hidden = true; };
    const over = (event) => {
      const node = event.target.closest?.("[data-tip]");
      if (!node) return tip.hide();
      const at = node.getBoundingClientRect();
      tip.show((chinese() && node.dataset.tipZh) || node.dataset.tip, at.left + at.width / 2, at.top);
    };
    document.addEventListener("pointerover", over);
    document.addEventListener("focusin", (event) => { if (event.target.matches?.(":focus-visible")) over(event); });
    document.addEventListener("focusout", tip.hide);
    document.addEventListener("scroll", tip.hide, { passive: true, capture: true });
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hide(); });
  }

  /* Sorting: numbers fall first, names rise first; what has no figure stays at the end. */
  function sorting() {
    for (const table of all("table.sortable")) {
      const heads = all("thead th", table);
      heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
        const numeric = head.hasAttribute("data-numeric");
        const before = head.getAttribute("aria-sort");
        const direction = before === "descending" ? "ascending" : before === "ascending" || numeric ? "descending" : "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", direction);
        const sign = direction === "ascending" ? 1 : -1;
        const rows = all("tbody tr:not(.failed)", table);
        const key = (row) => row.cells[column].dataset.value ?? "";
        rows.sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          if (x === "" || y === "") return (x === "") - (y === "");
          return sign * (numeric ? x - y : x.localeCompare(y));
        });
        table.tBodies[0].prepend(...rows);
      }));
    }
  }

  /* Tabs of the sample users; the list of contents follows the reader; the command can be copied. */
  function tabs() {
    for (const list of all("[role=tablist]")) {
      const buttons = all("[role=tab]", list);
      const choose = (chosen) => buttons.forEach((button) => {
        button.setAttribute("aria-selected", button === chosen);
        button.tabIndex = button === chosen ? 0 : -1;
        document.getElementById(button.getAttribute("aria-controls")).hidden = button !== chosen;
      });
      buttons.forEach((button, i) => {
        button.addEventListener("click", () => choose(button));
        button.addEventListener("keydown", (event) => {
          const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
          if (!step) return;
          const next = buttons[(i + step + buttons.length) % buttons.length];
          choose(next);
          next.focus();
        });
      });
      choose(buttons[0]);
    }
  }

  function contents() {
    const links = new Map(all(".bar nav a").map((link) => [link.getAttribute("href").slice(1), link]));
    const sections = all("main > section");
    const follow = () => {
      const current = sections.filter((section) => section.getBoundingClientRect().top < innerHeight * 0.35).at(-1);
      for (const [key, link] of links) {
        if (key !== current?.id) link.removeAttribute("aria-current");
        else if (!link.hasAttribute("aria-current")) {
          link.setAttribute("aria-current", "true");
          const nav = link.parentElement;
          nav.scrollTo({ left: link.offsetLeft - nav.offsetLeft - nav.clientWidth / 2 + link.clientWidth / 2 });
        }
      }
    };
    let waiting = false;
    addEventListener("scroll", () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; follow(); });
    }, { passive: true });
    follow();
  }

  function copying() {
    for (const button of all("[data-copy]")) {
      button.addEventListener("click", async () => {
        const source = document.getElementById(button.dataset.copy);
        try {
          await navigator.clipboard.writeText(source.textContent);
          button.parentElement.querySelector(".done").hidden = false;
        } catch {
          getSelection().selectAllChildren(source);
        }
      });
    }
  }

  /* The map. Positions come as whole numbers on a grid of 4096; a view is a zoom and a centre on that grid. */
  const GRID = 4096;
  const COLOURS = {
    light: ["#0072b2", "#d55e00", "#009e73", "#c2609a", "#d99200", "#3fa0dd", "#6a3d9a", "#7a6c00"],
    dark: ["#4aa8e8", "#ff8a4c", "#2cc99b", "#ee9ccb", "#ffc247", "#9ad8ff", "#b99cf2", "#cdbd4e"],
  };
  const SHAPES = ["circle", "square", "up", "diamond", "down"];

  function trace(context, shape, x, y, r) {
    if (shape === "circle") {
      context.moveTo(x + r, y);
      context.arc(x, y, r, 0, 2 * Math.PI);
      return;
    }
    const points = {
      square: [[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]],
      up: [[0, -1.2], [1.1, 0.8], [-1.1, 0.8]],
      down: [[0, 1.2], [1.1, -0.8], [-1.1, -0.8]],
      diamond: [[0, -1.25], [1.25, 0], [0, 1.25], [-1.25, 0]],
    }[shape];
    points.forEach(([dx, dy], i) => context[i ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
    context.closePath();
  }

  function itemMap() {
    const island = document.getElementById("map-data");
    if (!island) return;
    const data = JSON.parse(island.textContent);
    const canvas = document.getElementById("map-canvas");
    const context = canvas.getContext("2d");
    const n = data.x.length;
    const largest = Math.max(1, ...[...new Set(data.counts)]);
    const radius = data.counts.map((count) => 1.7 + 4.3 * Math.sqrt(Math.max(count, 0) / largest));
    const hidden = new Set();
    const named = data.clusters.length || data.names.length > 1;
    const view = { zoom: 1, x: GRID / 2, y: GRID / 2 };
    let found = [], width = 0, height = 0;

    const word = (pair) => pair[chinese() ? 1 : 0];
    const isNamed = (category) => named && category < data.names.length && category < COLOURS.light.length && !data.rest.includes(category);
    const colour = (category) => (data.names.length < 2 ? ink("--win") : isNamed(category) ? COLOURS[isDark() ? "dark" : "light"][category] : ink("--other"));
    const shape = (category) => (isNamed(category) ? SHAPES[category % SHAPES.length] : "circle");
    const ink = (name) => getComputedStyle(root).getPropertyValue(name).trim();
    const unit = () => (Math.min(width, height) * 0.92 * view.zoom) / GRID;
    const stretch = () => Math.min(Math.max(width / height, 1), 1.5);
    const sx = (x) => width / 2 + (x - view.x) * unit() * stretch();
    const sy = (y) => height / 2 + (y - view.y) * unit();

    function draw() {
      const ratio = devicePixelRatio || 1;
      width = canvas.clientWidth;
      height = canvas.clientHeight;
      if (!width || !height) return;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const grow = view.zoom ** 0.35 * Math.min(1, 0.62 + width / 2000);
      const order = data.names.map((_, category) => category).sort((a, b) => isNamed(a) - isNamed(b));
      for (const category of order) {
        if (hidden.has(category)) continue;
        context.beginPath();
        for (let i = 0; i < n; i += 1) {
          if (data.category[i] !== category) continue;
          const x = sx(data.x[i]), y = sy(data.y[i]);
          if (x > -9 && y > -9 && x < width + 9 && y < height + 9) trace(context, shape(category), x, y, radius[i] * grow);
        }
        context.globalAlpha = isNamed(category) || data.names.length < 2 ? 0.72 : 0.38;
        context.fillStyle = colour(category);
        context.fill();
      }
      context.globalAlpha = 1;
      writeClusters();
      context.strokeStyle = ink("--ink");
      context.lineWidth = 2;
      for (const i of found) {
        context.beginPath();
        context.arc(sx(data.x[i]), sy(data.y[i]), radius[i] * grow + 4, 0, 2 * Math.PI);
        context.stroke();
      }
    }

    function writeClusters() {
      const taken = [];
      context.font = `600 ${width < 500 ? 12.5 : 14}px ${getComputedStyle(root).fontFamily}`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.lineJoin = "round";
      for (const [category, cx, cy] of data.clusters) {
        if (hidden.has(category)) continue;
        const words = word(data.names[category]);
        const text = words.length > 26 ? `${words.slice(0, 25)}…` : words;
        const half = context.measureText(text).width / 2 + 5;
        const px = sx(cx), y = sy(cy);
        if (px < -half || px > width + half || y < 0 || y > height) continue;
        const x = Math.min(Math.max(px, half + 4), width - half - 4);
        const box = [x - half, y - 10, x + half, y + 10];
        if (taken.some((b) => box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3])) continue;
        taken.push(box);
        context.strokeStyle = ink("--card");
        context.lineWidth = 5;
        context.globalAlpha = 0.9;
        context.strokeText(text, x, y);
        context.globalAlpha = 1;
        context.fillStyle = ink("--ink");
        context.fillText(text, x, y);
      }
    }

    let queued = false;
    const redraw = () => {
      if (queued) return;
      queued = true;
      requestAnimationFrame(() => { queued = false; draw(); });
    };

    function zoom(factor, px = width / 2, py = height / 2) {
      const before = [(px - width / 2) / unit() / stretch() + view.x, (py - height / 2) / unit() + view.y];
      view.zoom = Math.min(Math.max(view.zoom * factor, 1), 40);
      view.x = before[0] - (px - width / 2) / unit() / stretch();
      view.y = before[1] - (py - height / 2) / unit();
      keepInside();
    }
    function move(dx, dy) {
      view.x -= dx / unit() / stretch();
      view.y -= dy / unit();
      keepInside();
    }
    function keepInside() {
      const room = (GRID / 2) * (1 - 1 / view.zoom);
      view.x = Math.min(Math.max(view.x, GRID / 2 - room), GRID / 2 + room);
      view.y = Math.min(Math.max(view.y, GRID / 2 - room), GRID / 2 + room);
      redraw();
    }
    function reset() {
      Object.assign(view, { zoom: 1, x: GRID / 2, y: GRID / 2 });
      redraw();
    }

    function nearest(px, py) {
      let best = -1, least = 15 * 15;
      for (let i = 0; i < n; i += 1) {
        if (hidden.has(data.category[i])) continue;
        const distance = (sx(data.x[i]) - px) ** 2 + (sy(data.y[i]) - py) ** 2;
        if (distance < least) [best, least] = [i, distance];
      }
      return best;
    }
    function point(event) {
      const box = canvas.getBoundingClientRect();
      const i = nearest(event.clientX - box.left, event.clientY - box.top);
      if (i < 0) return tip.hide();
      const category = data.names.length > 1 ? `\n${word(data.names[data.category[i]])}` : "";
      const words = `${data.titles[i]}${category}\n${data.counts[i].toLocaleString("en")} ${word(data.words.interactions)}`;
      tip.show(words, box.left + sx(data.x[i]), box.top + sy(data.y[i]));
    }

    /* One pointer moves, two zoom; a resting one asks for the title. */
    const fingers = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      fingers.set(event.pointerId, [event.clientX, event.clientY]);
      if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
      point(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      const last = fingers.get(event.pointerId);
      if (!last) return point(event);
      const [x, y] = [event.clientX, event.clientY];
      if (fingers.size === 2) {
        const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
        const box = canvas.getBoundingClientRect();
        const before = Math.hypot(last[0] - other[0], last[1] - other[1]);
        if (before > 0) zoom(Math.hypot(x - other[0], y - other[1]) / before, (x + other[0]) / 2 - box.left, (y + other[1]) / 2 - box.top);
      } else if (view.zoom > 1) {
        tip.hide();
        move(x - last[0], y - last[1]);
      }
      fingers.set(event.pointerId, [x, y]);
    });
    for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
      canvas.addEventListener(end, (event) => {
        fingers.delete(event.pointerId);
        if (end === "pointerleave") tip.hide();
      });
    }
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => {
      const box = canvas.getBoundingClientRect();
      zoom(2, event.clientX - box.left, event.clientY - box.top);
    });
    canvas.addEventListener("keydown", (event) => {
      const actions = {
        "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), "0": reset,
        ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60),
      };
      if (!actions[event.key] || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      actions[event.key]();
    });
    for (const button of all("[data-zoom]")) {
      button.addEventListener("click", () => ({ in: () => zoom(1.6), out: () => zoom(1 / 1.6), all: reset })[button.dataset.zoom]());
    }

    const toggles = all("button.category");
    toggles.forEach((button) => button.addEventListener("click", () => {
      const category = Number(button.dataset.category);
      if (!hidden.delete(category)) hidden.add(category);
      button.setAttribute("aria-pressed", !hidden.has(category));
      redraw();
    }));
    function swatches() {
      for (const swatch of all("canvas.swatch")) {
        const small = swatch.getContext("2d");
        const category = Number(swatch.dataset.category);
        small.clearRect(0, 0, 28, 28);
        small.beginPath();
        trace(small, shape(category), 14, 14, 9.5);
        small.fillStyle = colour(category);
        small.fill();
      }
    }

    const input = document.getElementById("map-find");
    const answer = document.getElementById("map-found");
    function search() {
      const wanted = input.value.trim().toLowerCase();
      const hits = wanted ? data.titles.flatMap((title, i) => (title.toLowerCase().includes(wanted) ? [i] : [])) : [];
      found = hits.slice(0, 200);
      const visible = (i) => sx(data.x[i]) >= 0 && sx(data.x[i]) <= width && sy(data.y[i]) >= 0 && sy(data.y[i]) <= height;
      if (found.length && width && !found.some(visible)) reset();
      answer.textContent = !wanted ? "" : hits.length === 1 ? data.titles[hits[0]] : `${hits.length} ${word(data.words.found)}`;
      redraw();
    }
    input?.addEventListener("input", search);

    const refresh = () => { swatches(); if (input) search(); redraw(); };
    listeners.push(refresh);
    new ResizeObserver(redraw).observe(canvas);
    addEventListener("beforeprint", draw);
    refresh();
    draw();
    canvas.dataset.drawn = "true";
  }

  document.addEventListener("DOMContentLoaded", () => {
    tips();
    switches();
    sorting();
    tabs();
    copying();
    itemMap();
    speak(root.dataset.lang);
    contents();
  });
})();
