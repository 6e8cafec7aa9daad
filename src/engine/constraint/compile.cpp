// Each kind of constraint by its reader; a whole reply put together around it.
#include "engine/constraint/compile.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/constraint/grammar_text.h"
#include "engine/constraint/regex.h"
#include "engine/constraint/schema_compiler.h"
#include "engine/constraint/token_trie.h"
#include "util/json.h"

namespace pensieve::engine::constraint {
namespace {

struct Compiled {
  Rule rule;
  std::vector<std::string> names;
};

util::Json parsed_schema(const std::string& text) {
  Result<util::Json> schema = util::parse_json(text);
  if (!schema) throw Refusal("the schema is not valid JSON: " + schema.error().what);
  return std::move(*schema);
}

Compiled compile_into(Graph& graph, const Constraint& constraint) {
  switch (constraint.kind) {
    case Constraint::Kind::json_object:
      return {compile_json_object(graph), {}};
    case Constraint::Kind::json_schema:
      return {compile_schema(graph, parsed_schema(constraint.source)), {}};
    case Constraint::Kind::regex: {
      const Rule rule = graph.declare();
      graph.define(rule, compile_regex(constraint.source, Spelling::plain, false).emit(graph));
      return {rule, {}};
    }
    case Constraint::Kind::gbnf: {
      RootRule root = compile_gbnf(graph, constraint.source);
      return {root.rule, std::move(root.names)};
    }
    case Constraint::Kind::lark: {
      RootRule root = compile_lark(graph, constraint.source);
      return {root.rule, std::move(root.names)};
    }
  }
  throw Refusal("a constraint of an unknown kind");
}

// Text of the format: control tokens that it spells may also be written as such.
Part own_text(Graph& graph, const std::string& text, const std::vector<std::string>& controls) {
  std::vector<Part> parts;
  for (std::size_t at = 0; at < text.size();) {
    std::string_view found;
    for (const std::string& control : controls) {
      if (control.size() > found.size() && text.compare(at, control.size(), control) == 0) found = control;
    }
    if (found.empty()) {
      parts.push_back(graph.literal(std::string_view(text).substr(at++, 1)));
    } else {
      parts.push_back(graph.choice({graph.literal(found), graph.literal(kControl + std::string(found))}));
      at += found.size();
    }
  }
  return graph.sequence(parts);
}

// Any text up to and including the first `end`, which is found as Knuth, Morris and Pratt do.
Part up_to(Graph& graph, const std::string& end, const std::vector<std::string>& controls) {
  std::vector<std::size_t> border(end.size() + 1, 0);
  for (std::size_t i = 1, k = 0; i < end.size(); ++i) {
    while (k > 0 && end[i] != end[k]) k = border[k];
    if (end[i] == end[k]) ++k;
    border[i + 1] = k;
  }
  std::vector<Node> nodes;
  for (std::size_t i = 0; i <= end.size(); ++i) nodes.push_back(graph.node());
  for (std::size_t i = 0; i < end.size(); ++i) {
    for (int byte = 0; byte < 0xFF; ++byte) {
      std::size_t k = i;
      while (k > 0 && static_cast<unsigned char>(end[k]) != byte) k = border[k];
      if (static_cast<unsigned char>(end[k]) == byte) ++k;
      graph.bytes(nodes[i], static_cast<std::uint8_t>(byte), static_cast<std::uint8_t>(byte), nodes[k]);
    }
    if (std::find(controls.begin(), controls.end(), end) == controls.end()) continue;
    const Part control = graph.literal(kControl + end);
    graph.nothing(nodes[i], control.in);
    graph.nothing(control.out, nodes.back());
  }
  return {nodes.front(), nodes.back()};
}

Part calls(Graph& graph, const AnswerForm& answer) {
  const AnswerForm::Calls& wanted = *answer.calls;
  const EnforcedForm& form = answer.form;
  if (wanted.tools.empty()) throw Refusal("no tool may be called");
  const auto text = [&](const std::string& own) { return own_text(graph, own, answer.controls); };
  std::vector<Part> each;
  for (const Tool& tool : wanted.tools) {
    try {
      const Rule arguments = tool.parameters.empty()
                                 ? compile_json_object(graph)
                                 : compile_schema(graph, parsed_schema(tool.parameters), true);
      each.push_back(graph.sequence({text(form.before_name), graph.literal(tool.name), text(form.after_name),
                                     graph.call(arguments), text(form.after_arguments)}));
    } catch (const Refusal& refusal) {
      throw Refusal(fmt::format("tool '{}': {}", tool.name, refusal.what()));
    }
  }
  const Rule one = graph.declare();
  graph.define(one, graph.choice(each));
  std::vector<Part> all{text(form.open), graph.call(one)};
  if (wanted.several && !form.between.empty())
    all.push_back(graph.star(graph.sequence({text(form.between), graph.call(one)})));
  all.push_back(text(form.close));
  return graph.sequence(all);
}

Part whole_reply(Graph& graph, const AnswerForm& form) {
  std::vector<Part> answers;
  if (form.content) {
    answers.push_back(graph.sequence({own_text(graph, form.form.content, form.controls),
                                      graph.call(compile_into(graph, *form.content).rule)}));
  }
  if (form.calls) answers.push_back(calls(graph, form));
  const Rule answer = graph.declare();
  graph.define(answer, graph.choice(answers));
  if (!form.thinking) return graph.call(answer);
  const auto lines = [&] { return graph.repeat([&] { return graph.literal("\n"); }, 0, 2); };
  const Part rest =
      graph.sequence({up_to(graph, form.thinking->close, form.controls), lines(), graph.call(answer)});
  if (form.thinking->is_open) return rest;
  return graph.choice({graph.call(answer),
                       graph.sequence({lines(), own_text(graph, form.thinking->open, form.controls), rest})});
}

template <class Build>
Result<Program> guarded(Build build) {
  try {
    auto graph = std::make_shared<Graph>();
    const Compiled compiled = build(*graph);
    graph->finish(compiled.rule, [&compiled](Rule rule) {
      const auto index = static_cast<std::size_t>(rule);
      return index < compiled.names.size() ? fmt::format("rule '{}' of the grammar", compiled.names[index])
                                           : std::string("a rule of the grammar");
    });
    return Program{std::move(graph), compiled.rule};
  } catch (const Refusal& refusal) {
    return fail(Error::Code::unsupported, refusal.what());
  } catch (const util::Json::exception& problem) {
    return fail(
        Error::Code::unsupported,
        fmt::format("the schema is malformed: a keyword's value has a wrong type ({})", problem.what()));
  }
}

}  // namespace

Result<Program> compile(const Constraint& constraint) {
  return guarded([&](Graph& graph) { return compile_into(graph, constraint); });
}

Result<Program> compile(const AnswerForm& form) {
  return guarded([&](Graph& graph) {
    const Rule root = graph.declare();
    graph.define(root, graph.sequence({graph.empty(), whole_reply(graph, form), graph.empty()}));
    return Compiled{root, {}};
  });
}

}  // namespace pensieve::engine::constraint
