// The chat page: shows a conversation, asks the server's own API and writes the answer as it comes.
import { render } from "./markdown.js";
import * as store from "./store.js";

const $ = (id) => document.getElementById(id);
const SAMPLERS = [
  ["temperature", "Temperature", 0, 5, 0.05], ["top_p", "Top-p", 0, 1, 0.01], ["top_k", "Top-k", 0, 1000, 1], ["min_p", "Min-p", 0, 1, 0.01],
  ["repeat_penalty", "Repeat penalty", 0.5, 2, 0.01], ["presence_penalty", "Presence penalty", -2, 2, 0.1],
  ["max_tokens", "Most tokens", 1, 1000000, 1], ["seed", "Seed", 0, 2147483647, 1],
];
const { settings } = store;
let current = store.conversations[0] ?? null;
let models = [];
let running = null;  // {controller, node}: the answer being written

function headers() {
  const all = { "content-type": "application/json" };
  if (settings.key) all.authorization = `Bearer ${settings.key}`;
  return all;
}

async function problemOf(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error.message;
  } catch {
    return `${response.status} ${text.slice(0, 200)}`;
  }
}

async function loadModels() {
  const picker = $("model");
  try {
    const response = await fetch("v1/models", { headers: headers() });
    if (!response.ok) throw new Error(await problemOf(response));
    models = (await response.json()).data;
    picker.replaceChildren(...models.map((m) => new Option(m.id, m.id)));
    if (models.some((m) => m.id === settings.model)) picker.value = settings.model;
    gauge();
  } catch (problem) {
    picker.replaceChildren(new Option(`no models: ${problem.message}`, ""));
    if (/key/i.test(problem.message)) showSettings(true, "key");
  }
}

function gauge() {
  const usage = current ? store.path(current).map((n) => n.usage).filter(Boolean).at(-1) : null;
  const size = models.find((m) => m.id === $("model").value)?.context_length ?? 0;
  const used = usage ? usage.total_tokens : 0;
  $("gauge-fill").style.setProperty("width", size ? `${Math.min(100, (100 * used) / size)}%` : "0");
  $("gauge-fill").classList.toggle("full", size > 0 && used > 0.9 * size);
  $("gauge-text").textContent = size ? `${used} / ${size}` : "";
}

// ------------------------------------------------------------------------------------------------ showing

function button(text, title, call) {
  const node = document.createElement("button");
  node.type = "button";
  node.textContent = text;
  node.title = title;
  node.addEventListener("click", call);
  return node;
}

function fill(article, node) {
  const text = article.querySelector(".text");
  if (node.role === "user" || node.failed) text.textContent = node.content;
  else render(node.content, text);
  text.classList.toggle("cursor", running?.node === node);
  const thinking = article.querySelector(".thinking");
  thinking.hidden = !node.reasoning;
  thinking.lastElementChild.textContent = node.reasoning ?? "";
  article.classList.toggle("failed", !!node.failed);
}

function tools(article, node) {
  const bar = article.querySelector(".tools");
  const branches = bar.querySelector(".branches");
  const all = store.siblings(current, node);
  const at = all.indexOf(node);
  branches.replaceChildren();
  if (all.length > 1) {
    const go = (step) => () => { store.select(current, all[(at + step + all.length) % all.length]); store.save(); show(); };
    branches.append(button("◀", "Earlier version", go(-1)), `${at + 1}/${all.length}`, button("▶", "Later version", go(1)));
  }
  branches.append(button("Copy", "Copy the text", () => navigator.clipboard?.writeText(node.content)));
  if (node.role === "user") branches.append(button("Edit", "Change and ask again, in a new branch", () => edit(article, node)));
  else branches.append(button("Again", "Answer again, in a new branch", () => answer(node.parent)));
  const facts = [];
  if (node.finish === "length") facts.push("cut at the limit of tokens");
  if (node.timings) facts.push(`${node.timings.predicted_n} tokens, ${node.timings.predicted_per_second.toFixed(1)} per second`);
  bar.querySelector(".facts").textContent = facts.join(" · ");
}

function edit(article, node) {
  if (running) return;
  const area = document.createElement("textarea");
  area.value = node.content;
  const done = button("Ask", "Ask with this text (Ctrl+Enter)", () => {
    store.add(current, node.parent, "user", area.value);
    answer(current.leaf);
  });
  area.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.ctrlKey) done.click();
    if (event.key === "Escape") show();
  });
  article.querySelector(".text").replaceChildren(area);
  article.querySelector(".branches").replaceChildren(done, button("Cancel", "Leave it as it was (Esc)", show));
  area.focus();
}

function show() {
  const list = $("messages");
  list.replaceChildren();
  for (const node of current ? store.path(current) : []) {
    const article = $("message-template").content.firstElementChild.cloneNode(true);
    article.classList.add(node.role);
    article.dataset.id = node.id;
    article.querySelector(".who").textContent = node.role === "user" ? "You" : node.model ?? "Answer";
    fill(article, node);
    if (running?.node !== node) tools(article, node);
    list.append(article);
  }
  if (!list.children.length) {
    const hint = document.createElement("p");
    hint.className = "empty";
    hint.textContent = "Ask anything. It stays on this machine.";
    list.append(hint);
  }
  list.scrollTop = list.scrollHeight;
  $("send").hidden = !!running;
  $("stop").hidden = !running;
  showConversations();
  gauge();
}

function showConversations() {
  $("conversations").replaceChildren(...store.conversations.map((conversation) => {
    const item = document.createElement("li");
    item.classList.toggle("current", conversation === current);
    const open = button(conversation.title, conversation.title, () => { if (!running) { current = conversation; show(); } });
    open.className = "open";
    const gone = button("✕", "Delete this conversation", () => {
      if (running || !confirm(`Delete "${conversation.title}"?`)) return;
      store.remove(conversation.id);
      if (conversation === current) current = store.conversations[0] ?? null;
      show();
    });
    gone.className = "remove";
    item.append(open, gone);
    return item;
  }));
}

// ------------------------------------------------------------------------------------------------ asking

function body(upto) {
  const messages = store.path({ ...current, leaf: upto }).filter((n) => !n.failed).map((n) => ({ role: n.role, content: n.content }));
  if (settings.system?.trim()) messages.unshift({ role: "system", content: settings.system });
  const request = { model: $("model").value || undefined, messages, stream: true, stream_options: { include_usage: true } };
  for (const [name] of SAMPLERS) if (settings[name] !== undefined && settings[name] !== "") request[name] = Number(settings[name]);
  return request;
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    buffer += value;
    let end;
    while ((end = buffer.indexOf("\n\n")) >= 0) {
      const data = buffer.slice(0, end).split("\n").filter((l) => l.startsWith("data: ")).map((l) => l.slice(6)).join("\n");
      buffer = buffer.slice(end + 2);
      if (data === "[DONE]") return;
      if (data) yield JSON.parse(data);
    }
  }
}

function take(node, chunk) {
  if (chunk.error) throw new Error(chunk.error.message);
  if (chunk.model) node.model = chunk.model;
  if (chunk.usage) node.usage = chunk.usage;
  if (chunk.timings) node.timings = chunk.timings;
  for (const choice of chunk.choices ?? []) {
    node.content += choice.delta.content ?? "";
    if (choice.delta.reasoning_content) node.reasoning = (node.reasoning ?? "") + choice.delta.reasoning_content;
    if (choice.finish_reason) node.finish = choice.finish_reason;
  }
}

async function answer(question) {
  if (running) return;
  const request = body(question);
  const node = store.add(current, question, "assistant", "");
  running = { controller: new AbortController(), node };
  show();
  let waiting = false;
  const refresh = () => {  // at most once per frame, however fast the tokens come
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      const article = $("messages").querySelector(`[data-id="${node.id}"]`);
      if (!article) return;
      const list = $("messages");
      const following = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
      fill(article, node);
      if (following) list.scrollTop = list.scrollHeight;
    });
  };
  try {
    const options = { method: "POST", headers: headers(), body: JSON.stringify(request), signal: running.controller.signal };
    const response = await fetch("v1/chat/completions", options);
    if (!response.ok) throw new Error(await problemOf(response));
    for await (const chunk of events(response)) {
      take(node, chunk);
      refresh();
    }
  } catch (problem) {
    if (problem.name !== "AbortError" && !node.content) {
      node.failed = true;
      node.content = problem.message;
    }
  }
  running = null;
  store.save();
  show();
  $("prompt").focus();
}

function send() {
  const text = $("prompt").value;
  if (running || !text.trim()) return;
  current ??= store.create();
  store.add(current, current.leaf, "user", text);
  $("prompt").value = "";
  grow();
  answer(current.leaf);
}

// ------------------------------------------------------------------------------------------------ controls

function grow() {
  const area = $("prompt");
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight + 2, innerHeight * 0.4)}px`;
}

function showSettings(on, focus) {
  $("settings").hidden = !on;
  if (on) $(focus ?? "system").focus();
}

function theme(name) {
  document.documentElement.dataset.theme = name;
  settings.theme = name;
}

function fields() {
  for (const [name, label, minimum, maximum, step] of SAMPLERS) {
    const holder = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { id: name, type: "number", min: minimum, max: maximum, step, placeholder: "default" });
    holder.append(label, input);
    $("samplers").append(holder);
  }
  for (const name of ["system", "key", ...SAMPLERS.map(([n]) => n)]) {
    $(name).value = settings[name] ?? "";
    $(name).addEventListener("change", () => {
      settings[name] = $(name).value;
      store.saveSettings();
      if (name === "key") loadModels();
    });
  }
}

function download() {
  const file = new Blob([JSON.stringify({ conversations: store.conversations }, null, 1)], { type: "application/json" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = "pensieve-conversations.json";
  link.click();
  URL.revokeObjectURL(link.href);
}

async function upload() {
  const file = $("import-file").files[0];
  if (!file) return;
  try {
    store.importAll(await file.text());
    current = store.conversations.at(-1) ?? current;
    show();
  } catch (problem) {
    alert(`This file holds no conversations: ${problem.message}`);
  }
  $("import-file").value = "";
}

function fresh() {
  if (running) return;
  current = null;
  $("sidebar").classList.remove("shown");
  show();
  $("prompt").focus();
}

function keys(event) {
  if (event.key === "Escape") {
    if (running) running.controller.abort();
    else if (!$("settings").hidden) showSettings(false);
  }
  if (!event.altKey) return;
  const calls = { n: fresh, s: () => showSettings($("settings").hidden), c: () => $("sidebar").classList.toggle("shown") };
  const call = calls[event.key.toLowerCase()];
  if (call) { event.preventDefault(); call(); }
}

theme(settings.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
fields();
$("composer").addEventListener("submit", (event) => { event.preventDefault(); send(); });
$("prompt").addEventListener("input", grow);
$("prompt").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
});
$("stop").addEventListener("click", () => running?.controller.abort());
$("new-chat").addEventListener("click", fresh);
$("toggle-sidebar").addEventListener("click", () => $("sidebar").classList.toggle("shown"));
$("toggle-settings").addEventListener("click", () => showSettings($("settings").hidden));
$("close-settings").addEventListener("click", () => showSettings(false));
$("toggle-theme").addEventListener("click", () => { theme(settings.theme === "dark" ? "light" : "dark"); store.saveSettings(); });
$("model").addEventListener("change", () => { settings.model = $("model").value; store.saveSettings(); gauge(); });
$("export").addEventListener("click", download);
$("import").addEventListener("click", () => $("import-file").click());
$("import-file").addEventListener("change", upload);
document.addEventListener("keydown", keys);
show();
loadModels();
$("prompt").focus();
