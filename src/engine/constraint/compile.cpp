// Each kind of constraint by its reader; a whole reply put together around it.
#include "engine/constraint/compile.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/constraint/free_text.h"
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
  if (!schema) throw Refusal("the schema is " + schema.error().what);
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
      graph.define(rule,
                   compile_regex(constraint.source, Spelling::plain, false, {}, graph.work()).emit(graph));
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

// The longest control token that `text` spells at `at`; empty: none.
std::string control_at(const std::string& text, std::size_t at, const std::vector<std::string>& controls) {
  std::string found;
  for (const std::string& control : controls) {
    if (control.size() > found.size() && text.compare(at, control.size(), control) == 0) found = control;
  }
  return found;
}

// Text of the format: control tokens that it spells may also be written as such.
Part own_text(Graph& graph, const std::string& text, const std::vector<std::string>& controls) {
  std::vector<Part> parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::string found = control_at(text, at, controls);
    if (found.empty()) {
      parts.push_back(graph.literal(std::string_view(text).substr(at++, 1)));
    } else {
      parts.push_back(graph.choice({graph.literal(found), graph.literal(kControl + found)}));
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
  }
  // Once a control token begins the end, nothing but the rest of it follows.
  const std::string control = control_at(end, 0, controls);
  if (!control.empty()) {
    const Part strict = graph.sequence(
        {graph.literal(kControl + control), own_text(graph, end.substr(control.size()), controls)});
    for (std::size_t i = 0; i < end.size(); ++i) graph.nothing(nodes[i], strict.in);
    graph.nothing(strict.out, nodes.back());
  }
  return {nodes.front(), nodes.back()};
}

// The calls that an answer may be made of: each tool's name and arguments, in the family's form.
class Calls {
 public:
  Calls(Graph& graph, const AnswerForm& answer) : graph_(graph), answer_(answer), texts_(texts_of(answer)) {
    if (answer.calls->tools.empty()) throw Refusal("no tool may be called");
    for (const Tool& tool : answer.calls->tools) {
      try {
        arguments_.push_back(arguments_of(tool));
      } catch (const Refusal& refusal) {
        throw Refusal(fmt::format("tool '{}': {}", tool.name, refusal.what()));
      }
    }
  }

  // From the form's beginning on, of which `written` stands already.
  Part all(const std::string& written = {}) {
    const std::string begun = texts_.open + texts_.before_name;
    std::vector<Part> parts{one(begun.substr(written.size()))};
    if (answer_.calls->several && (!texts_.between.empty() || texts_.joined))
      parts.push_back(graph_.star(graph_.sequence({text(texts_.between), one(texts_.before_name)})));
    parts.push_back(text(texts_.close));
    return graph_.sequence(parts);
  }

 private:
  struct Texts {
    std::string open, before_name, between, close;
    bool joined = false;  // calls may follow one another without anything between
  };
  static Texts texts_of(const AnswerForm& answer) {
    const EnforcedForm& form = answer.form;
    if (answer.free && form.parameters) {
      const ParameterForm& own = *form.parameters;
      return {own.open, own.before_name, own.between, own.close, !own.close.empty()};
    }
    return {form.open, form.before_name, form.between, form.close};
  }

  // What stands behind the name. A tool that is not strict takes any arguments where it is free to call it.
  Rule arguments_of(const Tool& tool) {
    const std::string none = R"({"type":"object","properties":{},"additionalProperties":false})";
    const bool any = answer_.free && !tool.strict;
    const util::Json schema =
        any ? util::Json::object() : parsed_schema(tool.parameters.empty() ? none : tool.parameters);
    const Rule rule = graph_.declare();
    if (answer_.free && answer_.form.parameters) {
      graph_.define(rule, any ? any_parameters(*answer_.form.parameters)
                              : parameters(schema, *answer_.form.parameters));
    } else {
      const Rule object = any ? compile_json_object(graph_) : compile_schema(graph_, schema, true);
      graph_.define(rule, graph_.sequence({text(answer_.form.after_name), graph_.call(object),
                                           text(answer_.form.after_arguments)}));
    }
    return rule;
  }
  Part parameters(const util::Json& schema, const ParameterForm& form) {
    std::vector<Part> parts{text(form.after_name)};
    for (const Parameter& parameter : compile_parameters(graph_, schema, form.value_end)) {
      const Part one = graph_.sequence({text(form.key_open), graph_.literal(parameter.name),
                                        text(form.key_end), text(form.value_open), parameter.value});
      parts.push_back(parameter.required ? one : graph_.optional(one));
    }
    parts.push_back(text(form.after_arguments));
    return graph_.sequence(parts);
  }
  Part any_parameters(const ParameterForm& form) {
    const Part one = graph_.sequence({text(form.key_open), text_up_to(graph_, form.key_end),
                                      text(form.value_open), text_up_to(graph_, form.value_end)});
    return graph_.sequence({text(form.after_name), graph_.star(one), text(form.after_arguments)});
  }

  Part text(const std::string& own) { return own_text(graph_, own, answer_.controls); }
  Part one(const std::string& before_name) {
    std::vector<Part> each;
    for (std::size_t i = 0; i < arguments_.size(); ++i) {
      each.push_back(graph_.sequence(
          {text(before_name), graph_.literal(answer_.calls->tools[i].name), graph_.call(arguments_[i])}));
    }
    const Rule rule = graph_.declare();
    graph_.define(rule, graph_.choice(each));
    return graph_.call(rule);
  }

  Graph& graph_;
  const AnswerForm& answer_;
  Texts texts_;
  std::vector<Rule> arguments_;  // by tool, with what stands around them
};

// Any text; where it begins a call, the call.
std::vector<Part> free_answers(Graph& graph, const AnswerForm& form) {
  const std::string opener = opener_of(form.form);
  if (!can_watch(form.form)) {
    throw Refusal(
        "strict: this model writes calls in a form that can only be enforced where a call is demanded; leave "
        "strict out, or set tool_choice to 'required' or to a tool");
  }
  std::vector<Part> answers{text_without_call(graph, form.form, form.thinking)};
  Calls calls(graph, form);
  if (form.form.bare) answers.push_back(calls.all());
  if (!opener.empty())
    answers.push_back(graph.sequence({text_and_opener(graph, form.form, form.thinking), calls.all(opener)}));
  return answers;
}

Part whole_reply(Graph& graph, const AnswerForm& form) {
  std::vector<Part> answers;
  if (form.content) {
    answers.push_back(graph.sequence({own_text(graph, form.form.content, form.controls),
                                      graph.call(compile_into(graph, *form.content).rule)}));
  }
  if (form.free) {
    answers = free_answers(graph, form);
  } else if (form.calls) {
    answers.push_back(Calls(graph, form).all());
  }
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

bool can_watch(const EnforcedForm& form) {
  return form.bare || !opener_of(form).empty();
}

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
