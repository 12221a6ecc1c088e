/* Every text of the page, in English and Chinese. */
const many = (n, one, more) => (n === 1 ? one : more);

const EN = {
  title: "Edgewise", "title.of": (what) => `${what} · Edgewise`, skip: "Skip to the content", explore: "Explore", models: "Models", live: "Live",
  "nav.label": "Pages", language: "中文", "language.label": "切换到中文", "theme.label": "Light or dark", "key.change": "Change the key",
  user: "User", item: "Item", search: "Find a user or an item", 
  "search.none": "Nothing found.", "search.open": (id) => `Open “${id}” as a new user`, "search.results": "Results",
  "search.count": (n) => `${n} found`,
  "met.by": (n) => `met by ${n.toLocaleString("en")} ${many(n, "person", "people")}`, "has.met": (n) => `met ${n.toLocaleString("en")} ${many(n, "item", "items")}`,
  "home.title": "See what your model recommends, and why", "home.text": "Open somebody, read the reasons, send an event, and watch the list change.",
  "home.users": "Begin with a user", "home.items": "or with an item", "home.model": "model", "home.nusers": "users", "home.nitems": "items", "home.events": "log entries",
  recommended: "Recommended", like: "Most like it", around: "Around", history: "History", attributes: "Attributes",
  "user.training": (n) => `${n.toLocaleString("en")} ${many(n, "item", "items")} in training`, "user.events": (n) => `${n.toLocaleString("en")} ${many(n, "event", "events")} since`,
  "user.unknown": "Training never met this user.",
  "item.unknown": "The model does not know this item yet.", "item.new": "It came after training.", "item.hidden": "This item is hidden from lists.",
  "item.events": (n) => `${n.toLocaleString("en")} ${many(n, "event", "events")}`,
  "list.empty": "There is nothing to list.", "list.from": (source) => `from ${source}`, "list.time": (ms) => `made in ${ms} ms`,
  "source.model": "the model", "source.similar": "similar items", "source.popular": "what is popular", "source.latest": "what is new", "source.item-to-item": "likeness",
  "source.user-to-user": "similar users", "source.friends": "friends", "source.session": "the session",
  "note.the model does not know this user": "The model does not know this user yet, so this is what most people met.",
  "note.the model has nothing to say about this user": "The model has nothing to say about this user, so this is what most people met.",
  "note.too few candidates": "The model proposed too few; the rest is what most people met.",
  "note.does not know this item": "The model does not know this item.", "note.tells no likeness": "This model tells no likeness of items.",
  "send.each": "Event", "send.this": (type, title) => `${type}: ${title}`, "send.other": "Another item", "send.do": "Send",
  "send.takeback": "take back", "send.choose": "Choose an item first.", "send.sent": (type) => `${type} stored`, "send.took": (ms) => `${ms} ms to disk and new list`,
  "send.same": "The list is the same as before.", "send.changed": (n, of) => `${n} of ${of} places changed.`, "send.gone": "Gone from the list:",
  "send.undo": "Undo", "send.undone": "Taken back", "send.failed": "Not stored", "send.close": "Dismiss",
  "mark.new": "new", "mark.up": (n) => `up ${n}`, "mark.down": (n) => `down ${n}`,
  because: "because of", why: "Why?", "why.of": (title) => `Why ${title}?`, "why.none": "No reasons: nothing that is known of this user speaks for it.",
  "why.friend": (id) => `friend ${id}`, "why.own": "of the item itself:", "why.busy": "asking …",
  "how.shares": "Bars are shares of the score.", "how.perturbation": "Bars tell how far the item falls back, in standard deviations, if one thing is not known.",
  "how.gradient": "Bars are what each gives, times how fast the score grows with it.", "how.attention": "Bars are shares of the model's attention, the same for each item.",
  "how.similarity": "Bars tell how alike the two items are.",
  fidelity: (f) => `Asked as about a newcomer of whom the same is known: rank ${place(f.rank)}; ${place(f.without)} without ${f.n === 1 ? "this reason" : `these ${f.n} reasons`}, ${place(f.alone)} by ${f.n === 1 ? "it" : "them"} alone; ${place(f.without_random)} without as many drawn at random.`,
  unranked: "not ranked", 
  "history.empty": "No history.", "history.taken": "does not count", "history.more": "Show more", "history.events": "Events", "history.rest": "Training",
  "history.value": (value) => `strength ${value}`, 
  "graph.label": (what) => `Graph around ${what}. Arrow keys move, Enter walks, Backspace goes back.`, "graph.help": "Click or press Enter to walk on; arrow keys move, Backspace goes back.",
  "graph.open": "Open page", "graph.trail": "The way here", "graph.alone": "Nothing lies around it yet.",
  "role.met": "met", "role.event": "met since training", "role.listed": "recommended", "role.like": "most like it", "role.person": "person", "role.centre": "in the centre",
  "people.friends": "friends", "people.similar": "met the same", "people.met": "met it", "node.rank": (rank) => `number ${rank}`,
  "models.title": "Models", "models.text": "Versions in the store, the newest first. A swap loads the other one beside the one that answers; no request fails.",
  "models.current": "answers now", "models.swap": "Let it answer", "models.swapping": "Loading …", "models.swapped": (name) => `${name} answers now.`, "models.role": "A key that may administer can swap models.",
  "models.fitted": (when) => `fitted ${when}`, "models.size": (u, i) => `${u} users · ${i} items`, "models.pairs": (n) => `${n} interactions`,
  "models.nofigures": "No figures are stored with this version; compare --save stores them.", "models.figure": "Figure", "models.value": "Value", "models.range": "95 % interval", "models.more": (n) => `All ${n} figures`,
  "live.title": "Live", "live.text": "The last minute of this server, read every second.", "live.requests": "Requests a second", "live.events": "Events a second", "live.latency": "Answer times, ms",
  "live.p50": "median", "live.p99": "99 % within", "live.kind": "Requests", "live.rate": "a second", "kind.list": "lists", "kind.event": "events", "kind.other": "others",
  "live.failed": (n) => `${n} failed`, "live.waiting": (n) => `${n} waiting`, "live.log": (n) => `log at ${n.toLocaleString("en")}`, "live.quiet": "Nothing was asked in the last minute.",
  "live.seconds": "60 s ago", "live.now": "now", "live.status": "median answer and requests a second", "live.chart": (name, last, most) => `${name}: ${last} now, at most ${most} in the last minute`,
  "key.title": "This server needs a key", "key.text": "It is kept in this tab until you close it, and sent to this server alone.", "key.label": "API key", "key.use": "Use this key", "key.wrong": "The server does not know this key.", "key.forget": "Forget the key", "key.cancel": "Cancel",
  "trouble.down": "The server does not answer.", "trouble.retry": "Trying again …", "trouble.busy": "The server is busy or loading a model.", "trouble.other": (status) => `The server answered ${status}.`, "trouble.again": "Try again", "trouble.swapped": (name) => `The model was swapped: ${name} answers now.`,
  "trouble.role": "This key may not do that.", loading: "Loading …", now: "just now", nowhere: "There is no such page.",
};

const ZH = {
  title: "Edgewise", "title.of": (what) => `${what} · Edgewise`, skip: "跳到正文", explore: "浏览", models: "模型", live: "实时",
  "nav.label": "页面", language: "EN", "language.label": "Switch to English", "theme.label": "浅色或深色", "key.change": "更换密钥",
  user: "用户", item: "物品", search: "查找用户或物品", 
  "search.none": "没有找到。", "search.open": (id) => `以新用户打开“${id}”`, "search.results": "结果",
  "search.count": (n) => `找到 ${n} 个`,
  "met.by": (n) => `${n.toLocaleString("zh")} 人接触过`, "has.met": (n) => `接触过 ${n.toLocaleString("zh")} 个物品`,
  "home.title": "模型推荐了什么，为什么", "home.text": "打开一个用户，查看理由，发送一个事件，看列表如何变化。",
  "home.users": "从一个用户开始", "home.items": "或从一个物品开始", "home.model": "模型", "home.nusers": "用户", "home.nitems": "物品", "home.events": "日志条目",
  recommended: "推荐", like: "最相似的物品", around: "邻域", history: "历史", attributes: "属性",
  "user.training": (n) => `训练数据中有 ${n.toLocaleString("zh")} 个物品`, "user.events": (n) => `此后有 ${n.toLocaleString("zh")} 个事件`,
  "user.unknown": "训练数据里没有这个用户。",
  "item.unknown": "模型还不认识这个物品。", "item.new": "训练之后出现。", "item.hidden": "这个物品不在列表中展示。",
  "item.events": (n) => `${n.toLocaleString("zh")} 个事件`,
  "list.empty": "没有可列出的物品。", "list.from": (source) => `来自${source}`, "list.time": (ms) => `用时 ${ms} 毫秒`,
  "source.model": "模型", "source.similar": "相似物品", "source.popular": "热门", "source.latest": "最新", "source.item-to-item": "相似度",
  "source.user-to-user": "相似用户", "source.friends": "好友", "source.session": "会话",
  "note.the model does not know this user": "模型还不认识这个用户，这里列出的是最多人接触过的物品。",
  "note.the model has nothing to say about this user": "模型对这个用户没有判断，这里列出的是最多人接触过的物品。",
  "note.too few candidates": "模型给出的太少，其余是最多人接触过的物品。",
  "note.does not know this item": "模型不认识这个物品。", "note.tells no likeness": "这个模型不提供物品的相似度。",
  "send.each": "事件", "send.this": (type, title) => `${type}：${title}`, "send.other": "其他物品", "send.do": "发送",
  "send.takeback": "撤回", "send.choose": "请先选择一个物品。", "send.sent": (type) => `已保存：${type}`, "send.took": (ms) => `写盘并更新列表共 ${ms} 毫秒`,
  "send.same": "列表与之前相同。", "send.changed": (n, of) => `${of} 个位置中有 ${n} 个变化。`, "send.gone": "离开列表：",
  "send.undo": "撤销", "send.undone": "已撤销", "send.failed": "未能保存", "send.close": "关闭",
  "mark.new": "新", "mark.up": (n) => `上升 ${n}`, "mark.down": (n) => `下降 ${n}`,
  because: "因为", why: "为什么？", "why.of": (title) => `为什么推荐${title}？`, "why.none": "没有理由：已知的信息都不支持它。",
  "why.friend": (id) => `好友 ${id}`, "why.own": "物品自身：", "why.busy": "正在询问……",
  "how.shares": "条形是得分中的份额。", "how.perturbation": "条形表示去掉这一项后，物品后退多少个标准差。",
  "how.gradient": "条形是各项的输入乘以得分对它的梯度。", "how.attention": "条形是模型注意力的份额，对每个物品都相同。",
  "how.similarity": "条形表示两个物品有多相似。",
  fidelity: (f) => `按已知信息相同的新用户来问，${place(f.rank)}；去掉${f.n === 1 ? "这个理由" : `这 ${f.n} 个理由`}后${place(f.without)}，只凭${f.n === 1 ? "它" : "它们"}时${place(f.alone)}；随机去掉同样多项后${place(f.without_random)}。`,
  unranked: "没有名次", 
  "history.empty": "没有历史。", "history.taken": "不计入", "history.more": "显示更多", "history.events": "事件", "history.rest": "训练数据",
  "history.value": (value) => `强度 ${value}`, 
  "graph.label": (what) => `${what} 周围的图。方向键移动，回车走过去，退格返回。`, "graph.help": "点击或按回车可走到该节点；方向键移动，退格键返回。",
  "graph.open": "打开页面", "graph.trail": "走过的路", "graph.alone": "周围还什么都没有。",
  "role.met": "接触过", "role.event": "训练后接触", "role.listed": "推荐", "role.like": "最相似", "role.person": "用户", "role.centre": "中心",
  "people.friends": "好友", "people.similar": "接触过同样物品的人", "people.met": "接触过它的人", "node.rank": (rank) => `第 ${rank} 位`,
  "models.title": "模型", "models.text": "存储中的版本，新的在前。切换时，新模型先在后台加载，期间不会有请求失败。",
  "models.current": "正在服务", "models.swap": "切换到它", "models.swapping": "正在加载……", "models.swapped": (name) => `现在由 ${name} 回答。`, "models.role": "管理员密钥可以切换模型。",
  "models.fitted": (when) => `训练于 ${when}`, "models.size": (u, i) => `${u} 个用户 · ${i} 个物品`, "models.pairs": (n) => `${n} 条交互`,
  "models.nofigures": "这个版本没有保存指标；用 compare --save 保存的模型带有指标。", "models.figure": "指标", "models.value": "值", "models.range": "95 % 区间", "models.more": (n) => `全部 ${n} 项指标`,
  "live.title": "实时", "live.text": "本服务器最近一分钟的情况，每秒读取。", "live.requests": "每秒请求", "live.events": "每秒事件", "live.latency": "响应时间（毫秒）",
  "live.p50": "中位数", "live.p99": "P99", "live.kind": "请求", "live.rate": "每秒", "kind.list": "列表", "kind.event": "事件", "kind.other": "其他",
  "live.failed": (n) => `失败 ${n}`, "live.waiting": (n) => `等待 ${n}`, "live.log": (n) => `日志位置 ${n.toLocaleString("zh")}`, "live.quiet": "最近一分钟没有请求。",
  "live.seconds": "60 秒前", "live.now": "现在", "live.status": "响应时间中位数和每秒请求", "live.chart": (name, last, most) => `${name}：现在 ${last}，最近一分钟最高 ${most}`,
  "key.title": "这个服务器需要密钥", "key.text": "密钥只保存在这个标签页里，关闭即清除，只发送给这个服务器。", "key.label": "API 密钥", "key.use": "使用这个密钥", "key.wrong": "服务器不认识这个密钥。", "key.forget": "清除密钥", "key.cancel": "取消",
  "trouble.down": "服务器没有响应。", "trouble.retry": "正在重试……", "trouble.busy": "服务器繁忙，或正在加载模型。", "trouble.other": (status) => `服务器返回 ${status}。`, "trouble.again": "重试", "trouble.swapped": (name) => `模型已切换：现在由 ${name} 回答。`,
  "trouble.role": "这个密钥没有此权限。", loading: "正在加载……", now: "刚刚", nowhere: "没有这个页面。",
};

function place(rank) { return rank === null || rank === undefined ? t("unranked") : language() === "zh" ? `排第 ${rank}` : `${rank}`; }

const root = document.documentElement;
const recall = (key) => { try { return localStorage.getItem(`edgewise-${key}`); } catch { return null; } };
export const remember = (key, value) => { try { localStorage.setItem(`edgewise-${key}`, value); } catch { /* private mode */ } };
export const recalled = recall;

let spoken = ["en", "zh"].includes(recall("lang")) ? recall("lang") : (navigator.language || "").toLowerCase().startsWith("zh") ? "zh" : "en";
root.lang = spoken === "zh" ? "zh-CN" : "en";
export const language = () => spoken;
export function speak(next) {
  spoken = next;
  root.lang = next === "zh" ? "zh-CN" : "en";
  remember("lang", next);
}

export function t(key, ...values) {
  const text = (spoken === "zh" ? ZH : EN)[key] ?? EN[key];
  return typeof text === "function" ? text(...values) : text ?? key;
}
export const knows = (key) => key in EN;

/* Names that the server knows: kinds of events and columns, in two languages. */
export const names = { types: new Map(), columns: {} };
export const typeName = (type) => names.types.get(type)?.[spoken] ?? type;
export const columnName = (column) => names.columns[column]?.[spoken] ?? column;

export const number = (value, digits = 0) => Number(value).toLocaleString(spoken === "zh" ? "zh" : "en", { maximumFractionDigits: digits });
export const rate = (value) => (value >= 100 ? number(value) : value >= 10 ? number(value, 1) : number(value, 2));
export const ms = (value) => (value === null || value === undefined ? "–" : `${value >= 100 ? number(value) : value >= 10 ? number(value, 1) : number(value, 2)} ms`);

export function when(iso) {
  const at = new Date(iso);
  const seconds = (Date.now() - at) / 1000;
  const locale = spoken === "zh" ? "zh-CN" : "en";
  if (Math.abs(seconds) < 45) return t("now");
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  if (seconds > 0 && seconds < 3600) return relative.format(-Math.round(seconds / 60), "minute");
  if (seconds > 0 && seconds < 86400) return relative.format(-Math.round(seconds / 3600), "hour");
  return at.toLocaleDateString(locale, { year: "numeric", month: "short", day: "numeric" });
}

export function noteText(note) {
  if (!note) return "";
  const key = Object.keys(EN).find((each) => each.startsWith("note.") && note.endsWith(each.slice(5)));
  return key ? t(key) : note;
}
