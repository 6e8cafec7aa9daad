// Markdown to DOM nodes. Text only ever becomes text nodes, so nothing that a model writes can become markup or script;
// links go to http, https and mailto only. Covers what models write: no HTML blocks, no reference links.

const INLINE = /(`+)([\s\S]+?)\1|\*\*([\s\S]+?)\*\*|__([\s\S]+?)__|\*([^\s*][^*]*?)\*|\b_([^\s_][^_]*?)_\b|~~([\s\S]+?)~~|\[([^\]\n]+)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>"')\]]*[^\s<>"')\].,;:!?])/;

function element(name, ...children) {
  const node = document.createElement(name);
  node.append(...children);
  return node;
}

function link(label, address) {
  if (!/^(https?:|mailto:)/i.test(address)) return document.createTextNode(label);
  const node = element("a", label);
  node.href = address;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  return node;
}

export function inline(text, parent, depth = 0) {
  while (text) {
    const match = depth < 8 ? INLINE.exec(text) : null;
    if (!match) break;
    if (match.index) parent.append(text.slice(0, match.index));
    const [all, ticks, code, strong, strong2, soft, soft2, gone, label, address, bare] = match;
    if (ticks) parent.append(element("code", code.trim()));
    else if (label) parent.append(link(label, address));
    else if (bare) parent.append(link(bare, bare));
    else {
      const name = strong || strong2 ? "strong" : soft || soft2 ? "em" : "del";
      const node = element(name);
      inline(strong || strong2 || soft || soft2 || gone, node, depth + 1);
      parent.append(node);
    }
    text = text.slice(match.index + all.length);
  }
  if (text) parent.append(text);
}

function codeBlock(lines, language) {
  const code = element("code", lines.join("\n"));
  if (language) code.dataset.language = language;
  const copy = element("button", "Copy");
  copy.type = "button";
  copy.addEventListener("click", () => navigator.clipboard?.writeText(code.textContent));
  return element("pre", copy, code);
}

function cells(line) {
  return line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function table(lines) {
  const row = (line, kind) => {
    const tr = element("tr");
    for (const text of cells(line)) {
      const cell = element(kind);
      inline(text, cell);
      tr.append(cell);
    }
    return tr;
  };
  return element("table", element("thead", row(lines[0], "th")), element("tbody", ...lines.slice(2).map((l) => row(l, "td"))));
}

const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;

// Takes the list that begins at lines[at]; deeper indentation belongs to the item above.
function list(lines, at, depth) {
  const [, indent, mark] = ITEM.exec(lines[at]);
  const ordered = /\d/.test(mark);
  const node = element(ordered ? "ol" : "ul");
  if (ordered) node.start = parseInt(mark, 10);
  while (at < lines.length) {
    const item = ITEM.exec(lines[at]);
    if (!item || item[1].length < indent.length || /\d/.test(item[2]) !== ordered) break;
    const inner = [item[3]];
    at += 1;
    while (at < lines.length) {
      const next = ITEM.exec(lines[at]);
      const deeper = /^\s/.test(lines[at]) && lines[at].search(/\S/) > indent.length;
      if (next && !deeper) break;
      if (!deeper && (lines[at].trim() !== "" || !/^\s+\S/.test(lines[at + 1] ?? ""))) break;
      inner.push(lines[at].replace(new RegExp(`^\\s{0,${indent.length + 2 + (ordered ? 1 : 0)}}`), ""));
      at += 1;
    }
    const li = element("li");
    blocks(inner, li, depth + 1, true);
    node.append(li);
    while (lines[at]?.trim() === "" && ITEM.test(lines[at + 1] ?? "")) at += 1;
  }
  return [node, at];
}

function blocks(lines, parent, depth, tight = false) {
  let at = 0;
  let paragraph = [];
  const flush = () => {
    if (!paragraph.length) return;
    const target = tight ? parent : element("p");
    inline(paragraph.join("\n"), target);
    if (!tight) parent.append(target);
    tight = false;  // a second paragraph of a list's item stands apart from the first
    paragraph = [];
  };
  while (at < lines.length) {
    const line = lines[at];
    const fence = /^\s*(```+|~~~+)\s*([\w+#.-]*)/.exec(line);
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (fence) {
      flush();
      let end = at + 1;
      while (end < lines.length && !lines[end].trim().startsWith(fence[1])) end += 1;
      parent.append(codeBlock(lines.slice(at + 1, end), fence[2]));
      at = end + 1;
    } else if (heading) {
      flush();
      const node = element("h" + Math.min(6, heading[1].length + 1));
      inline(heading[2], node);
      parent.append(node);
      at += 1;
    } else if (/^\s*([-*_])(\s*\1){2,}\s*$/.test(line)) {
      flush();
      parent.append(element("hr"));
      at += 1;
    } else if (/^\s*>/.test(line) && depth < 8) {
      flush();
      let end = at;
      while (end < lines.length && /^\s*>/.test(lines[end])) end += 1;
      const quote = element("blockquote");
      blocks(lines.slice(at, end).map((l) => l.replace(/^\s*>\s?/, "")), quote, depth + 1);
      parent.append(quote);
      at = end;
    } else if (ITEM.test(line) && depth < 8) {
      flush();
      const [node, next] = list(lines, at, depth);
      parent.append(node);
      at = next;
    } else if (line.includes("|") && /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/.test(lines[at + 1] ?? "") && (lines[at + 1] ?? "").includes("-")) {
      flush();
      let end = at + 2;
      while (end < lines.length && lines[end].includes("|")) end += 1;
      parent.append(table(lines.slice(at, end)));
      at = end;
    } else {
      if (line.trim() === "") flush();
      else paragraph.push(line);
      at += 1;
    }
  }
  flush();
}

export function render(text, parent) {
  parent.replaceChildren();
  blocks(text.replace(/\r\n?/g, "\n").split("\n"), parent, 0);
}
