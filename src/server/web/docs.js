// The page of the API's document: one entry for each operation, with the fields of its body and of its answer.
// Not a client: nothing is sent but the request for the document.

const make = (tag, attributes = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), attributes);
  node.append(...children);
  return node;
};

// "#/components/schemas/Usage" to what stands there.
function resolve(root, value) {
  for (let hops = 0; value?.$ref && hops < 16; hops++) {
    value = value.$ref.slice(2).split("/").reduce((at, part) => at?.[part.replaceAll("~1", "/").replaceAll("~0", "~")], root);
  }
  return value ?? {};
}

function typeText(root, schema) {
  if (schema.$ref) {
    const target = resolve(root, schema);
    return target.enum ? typeText(root, target) : schema.$ref.split("/").pop();
  }
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map((choice) => typeText(root, choice)).join(" | ");
  const types = [schema.type ?? "any"].flat();
  return types.map((type) => (type === "array" ? `list of ${typeText(root, schema.items ?? {})}` : type)).join(" | ");
}

function rangeText(schema) {
  const parts = [];
  if (schema.minimum !== undefined) parts.push(`from ${schema.minimum}`);
  if (schema.exclusiveMinimum !== undefined) parts.push(`above ${schema.exclusiveMinimum}`);
  if (schema.maximum !== undefined) parts.push(`to ${schema.maximum}`);
  return parts.join(" ");
}

function fieldTable(root, schema) {
  const whole = resolve(root, schema);
  if (!whole.properties) return make("p", { className: "soft" }, typeText(root, schema));
  const rows = Object.entries(whole.properties).map(([name, field]) =>
    make("tr", {},
      make("td", {}, name, whole.required?.includes(name) ? " *" : ""),
      make("td", {}, typeText(root, field)),
      make("td", { className: "soft" }, [rangeText(field), field.description].filter(Boolean).join(". "))));
  return make("table", {}, make("tbody", {}, ...rows));
}

function contents(root, title, content) {
  return Object.entries(content ?? {}).flatMap(([type, { schema }]) => [
    make("h4", {}, `${title} `, make("span", { className: "soft" }, type)),
    fieldTable(root, schema ?? {}),
  ]);
}

function entry(root, path, method, operation) {
  const inner = make("div");
  if (operation.description) inner.append(make("p", {}, operation.description));
  if (operation.security?.length === 0) inner.append(make("p", { className: "soft" }, "Needs no key."));
  for (const parameter of operation.parameters ?? []) {
    inner.append(make("p", {}, make("code", {}, parameter.name), ` in ${parameter.in}: ${parameter.description ?? ""}`));
  }
  inner.append(...contents(root, "Body", operation.requestBody?.content));
  for (const [status, given] of Object.entries(operation.responses)) {
    const response = resolve(root, given);
    inner.append(make("h4", {}, status === "default" ? "Otherwise" : status, " ", make("span", { className: "soft" }, response.description ?? "")));
    if (status !== "default") inner.append(...contents(root, "", response.content));
  }
  const heading = make("summary", {}, make("span", { className: "method" }, method.toUpperCase()), make("code", {}, path), ` ${operation.summary}`);
  return make("details", { id: operation.operationId }, heading, inner);
}

function show(root) {
  const groups = new Map();
  for (const [path, item] of Object.entries(root.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const tag = operation.tags?.[0] ?? "other";
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push(entry(root, path, method, operation));
    }
  }
  const main = document.getElementById("operations");
  for (const [tag, entries] of groups) main.append(make("section", {}, make("h2", {}, tag), ...entries));
  document.getElementById("about").replaceChildren(`Version ${root.info.version}. ${root.info.description}`);
  const filter = document.getElementById("filter");
  filter.hidden = false;
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    for (const section of main.children) {
      const all = [...section.querySelectorAll("details")];
      for (const item of all) item.hidden = !item.textContent.toLowerCase().includes(wanted);
      section.hidden = all.every((item) => item.hidden);
    }
  });
  if (location.hash) document.getElementById(location.hash.slice(1))?.setAttribute("open", "");
}

fetch("openapi.json")
  .then((response) => response.json())
  .then(show)
  .catch((problem) => document.getElementById("about").replaceChildren(`The document could not be read: ${problem.message}`));
