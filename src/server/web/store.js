// Conversations as trees of messages, kept in this browser's localStorage: editing or asking again adds a branch, nothing
// is overwritten. Knows no page.

const KEY = "pensieve.conversations";
const SETTINGS = "pensieve.settings";

export const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join("");

function read(key, fallback) {
  try {
    return JSON.parse(localStorage.getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
    return true;
  } catch {
    return false;  // full or forbidden: the page goes on without
  }
}

export const settings = read(SETTINGS, {});
export const saveSettings = () => write(SETTINGS, settings);

export const conversations = read(KEY, []).filter(sound);
export const save = () => write(KEY, conversations);

// What an import (or an older page) brings must have the right shape before anything uses it.
function sound(c) {
  return c && typeof c.id === "string" && typeof c.title === "string" && typeof c.nodes === "object" && c.nodes !== null &&
    Object.values(c.nodes).every((n) => n && typeof n.id === "string" && typeof n.content === "string" &&
      (n.role === "user" || n.role === "assistant") && (n.parent === null || n.parent in c.nodes));
}

export function create() {
  const conversation = { id: newId(), title: "New conversation", created: Date.now(), nodes: {}, leaf: null };
  conversations.unshift(conversation);
  return conversation;
}

export function remove(id) {
  const at = conversations.findIndex((c) => c.id === id);
  if (at >= 0) conversations.splice(at, 1);
  save();
}

export function add(conversation, parent, role, content) {
  const node = { id: newId(), parent, role, content, created: Date.now() };
  conversation.nodes[node.id] = node;
  conversation.leaf = node.id;
  if (role === "user" && parent === null) conversation.title = content.trim().split("\n")[0].slice(0, 60) || "New conversation";
  return node;
}

// From the first message to the current one.
export function path(conversation) {
  const nodes = [];
  for (let id = conversation.leaf; id !== null && nodes.length < 10000; id = conversation.nodes[id]?.parent ?? null) {
    if (conversation.nodes[id]) nodes.unshift(conversation.nodes[id]);
  }
  return nodes;
}

export const siblings = (conversation, node) =>
  Object.values(conversation.nodes).filter((n) => n.parent === node.parent && n.role === node.role).sort((a, b) => a.created - b.created);

// Makes `node` part of the path again, with its newest continuation.
export function select(conversation, node) {
  let leaf = node;
  for (;;) {
    const next = Object.values(conversation.nodes).filter((n) => n.parent === leaf.id).sort((a, b) => b.created - a.created)[0];
    if (!next) break;
    leaf = next;
  }
  conversation.leaf = leaf.id;
}

export function importAll(text) {
  const given = JSON.parse(text);
  const list = (Array.isArray(given) ? given : given.conversations ?? []).filter(sound);
  for (const conversation of list) {
    if (conversations.some((c) => c.id === conversation.id)) conversation.id = newId();
    if (!(conversation.leaf in conversation.nodes)) conversation.leaf = Object.keys(conversation.nodes).at(-1) ?? null;
    conversations.push(conversation);
  }
  save();
  return list.length;
}
