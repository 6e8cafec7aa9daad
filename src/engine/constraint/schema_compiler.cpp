// One rule for each set of schemas that must hold together; sub-schemas wait in a queue, so depth costs no
// stack.
#include "engine/constraint/schema_compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/constraint/free_text.h"
#include "engine/constraint/json_pieces.h"
#include "engine/constraint/regex.h"
#include "engine/constraint/schema_shape.h"

namespace pensieve::engine::constraint {
namespace {

using util::Json;

class SchemaCompiler {
 public:
  SchemaCompiler(Graph& graph, const Json& root)
      : graph_(graph), pieces_(graph), shapes_(root, graph.work()) {}

  Rule compile(const Schemas& whole) {
    const Rule rule = rule_for(whole);
    define_all();
    return rule;
  }

  std::vector<Parameter> parameters(const Schemas& whole, const std::string& end) {
    const std::vector<Shape> shapes = shapes_.of(whole);
    if (shapes.size() != 1 || shapes.front().values())
      throw Refusal("arguments of alternative shapes are not supported in this model's form of calls");
    const Names names = names_of(shapes.front());
    std::vector<Parameter> all;
    for (const std::string& name : names.order) {
      if (name.find_first_of("<>\"\n") != std::string::npos)
        throw Refusal(
            fmt::format("a parameter called '{}' is not possible in this model's form of calls", name));
      all.push_back({name, names.required.contains(name), written(named(shapes.front(), name), end)});
    }
    define_all();
    return all;
  }

 private:
  void define_all() {
    while (!queue_.empty()) {
      const auto [next, schemas] = queue_.back();
      queue_.pop_back();
      graph_.define(next, value(schemas));
    }
  }

  // A parameter's value and what ends it: texts as they are, all else as JSON.
  Part written(const Schemas& schemas, const std::string& end) {
    std::vector<Part> parts;
    for (const Shape& shape : shapes_.of(schemas)) {
      if (shape.values()) {
        for (const Json& one : *shape.values()) {
          const Part part = one.is_string() ? graph_.literal(one.get<std::string>()) : pieces_.literal(one);
          parts.push_back(graph_.sequence({part, marker(graph_, end)}));
        }
        continue;
      }
      if ((shape.types() & kString) != 0) {
        if (!shape.patterns().empty() || shape.has("minLength") || shape.has("maxLength")) {
          throw Refusal(
              "pattern, format and lengths of texts cannot be enforced in this model's form of calls");
        }
        parts.push_back(text_up_to(graph_, end));
      }
      if ((shape.types() & ~kString) != 0)
        parts.push_back(graph_.sequence({value(shape, kEverything & ~kString), marker(graph_, end)}));
    }
    return graph_.choice(parts);
  }

  Rule rule_for(Schemas schemas) {
    std::sort(schemas.begin(), schemas.end());
    schemas.erase(std::unique(schemas.begin(), schemas.end()), schemas.end());
    const auto [found, fresh] = rules_.try_emplace(schemas, -1);
    if (fresh) {
      found->second = graph_.declare();
      queue_.emplace_back(found->second, std::move(schemas));
    }
    return found->second;
  }
  Part call(Schemas schemas) { return graph_.call(rule_for(std::move(schemas))); }

  Part value(const Schemas& schemas) {
    std::vector<Part> parts;
    for (const Shape& shape : shapes_.of(schemas)) parts.push_back(value(shape));
    return graph_.choice(parts);
  }

  // Of the types in `wanted`.
  Part value(const Shape& shape, std::uint8_t wanted = kEverything) {
    std::vector<Part> parts;
    if (shape.values()) {
      for (const Json& one : *shape.values()) parts.push_back(pieces_.literal(one));
      return graph_.choice(parts);
    }
    const std::uint8_t types = shape.types() & wanted;
    if ((types & kNull) != 0) parts.push_back(graph_.literal("null"));
    if ((types & kBoolean) != 0) {
      parts.push_back(graph_.literal("true"));
      parts.push_back(graph_.literal("false"));
    }
    if ((types & (kInteger | kFraction)) != 0) parts.push_back(number(shape, (types & kFraction) == 0));
    if ((types & kString) != 0) parts.push_back(string(shape));
    if ((types & kArray) != 0) parts.push_back(array(shape));
    if ((types & kObject) != 0) parts.push_back(object(shape));
    return graph_.choice(parts);
  }

  Part number(const Shape& shape, bool integer) {
    const std::optional<Bound> low = shape.low(), high = shape.high();
    return low || high ? number_within(graph_, integer, low, high) : pieces_.any_number(integer);
  }

  Part string(const Shape& shape) {
    const std::int64_t least = shape.largest("minLength", 0), most = shape.smallest("maxLength", -1);
    std::vector<Dfa> patterns = shape.patterns();
    if (patterns.empty())
      return least == 0 && most < 0 ? pieces_.any_string() : pieces_.string_of_length(least, most);
    Dfa all = patterns.front();
    for (std::size_t i = 1; i < patterns.size(); ++i) all = all.both(patterns[i]);
    if (least > 0 || most >= 0) all = all.both(pieces_.key_of_length(least, most));
    return pieces_.quoted(all);
  }

  // What holds for the item at `index`; index < 0: for those behind every prefix.
  Schemas item(const Shape& shape, std::int64_t index) const {
    Schemas all;
    for (const Json* part : shape.parts()) {
      const Json* prefix = member(*part, "prefixItems");
      const Json* rest = member(*part, "items");
      if (rest != nullptr && rest->is_array()) {  // the older word for prefixItems
        prefix = rest;
        rest = member(*part, "additionalItems");
      }
      if (prefix != nullptr && index >= 0 && static_cast<std::size_t>(index) < prefix->size()) {
        all.push_back(&(*prefix)[static_cast<std::size_t>(index)]);
      } else if (rest != nullptr) {
        all.push_back(rest);
      }
    }
    return all;
  }

  static const Json* member(const Json& schema, const char* key) {
    const auto found = schema.find(key);
    return found == schema.end() ? nullptr : &*found;
  }

  Part array(const Shape& shape) {
    std::int64_t prefix = 0;
    for (const Json* part : shape.parts()) {
      for (const char* keyword : {"prefixItems", "items"}) {
        const Json* list = member(*part, keyword);
        if (list != nullptr && list->is_array())
          prefix = std::max(prefix, static_cast<std::int64_t>(list->size()));
      }
    }
    const std::int64_t least = shape.largest("minItems", 0), most = shape.smallest("maxItems", -1);
    const Part all{graph_.node(), graph_.node()};
    const Part open = graph_.sequence({graph_.literal("["), pieces_.space()});
    graph_.nothing(all.in, open.in);
    const Part end = graph_.sequence({pieces_.space(), graph_.literal("]")});
    const Part empty_end = graph_.literal("]");
    graph_.nothing(end.out, all.out);
    graph_.nothing(empty_end.out, all.out);
    if (least == 0) graph_.nothing(open.out, empty_end.in);
    Node at = open.out;
    const auto append = [&](std::int64_t index) {
      const Part one = call(item(shape, index));
      if (at == open.out) {
        graph_.nothing(at, one.in);
      } else {
        const Part comma = graph_.sequence({pieces_.space(), graph_.literal(","), pieces_.space()});
        graph_.nothing(at, comma.in);
        graph_.nothing(comma.out, one.in);
      }
      return one.out;
    };
    const std::int64_t fixed = most >= 0 ? most : std::max({prefix, least, std::int64_t{1}});
    for (std::int64_t i = 0; i < fixed; ++i) {
      at = append(i < prefix ? i : -1);
      if (i + 1 >= least) graph_.nothing(at, end.in);
    }
    if (most < 0) graph_.nothing(append(-1), at);
    return all;
  }

  // What holds for a member of this name.
  Schemas named(const Shape& shape, const std::string& name) {
    Schemas all;
    const std::string written = spelled(name, Spelling::json);
    for (const Json* part : shape.parts()) {
      bool known = false;
      const Json* properties = member(*part, "properties");
      if (properties != nullptr && properties->contains(name)) {
        all.push_back(&(*properties)[name]);
        known = true;
      }
      if (const Json* patterns = member(*part, "patternProperties")) {
        for (const auto& entry : patterns->items()) {
          if (!key_pattern(entry.key()).accepts(written)) continue;
          all.push_back(&entry.value());
          known = true;
        }
      }
      const Json* others = member(*part, "additionalProperties");
      if (!known && others != nullptr) all.push_back(others);
    }
    return all;
  }

  const Dfa& key_pattern(const std::string& pattern) {
    const auto found = key_patterns_.find(pattern);
    if (found != key_patterns_.end()) return found->second;
    return key_patterns_.emplace(pattern, compile_regex(pattern, Spelling::json, true, {}, graph_.work()))
        .first->second;
  }

  struct Names {
    std::vector<std::string> order;
    std::set<std::string> required;
  };
  static Names names_of(const Shape& shape) {
    Names names;
    std::set<std::string> known;
    const auto add = [&](const std::string& name) {
      if (known.insert(name).second) names.order.push_back(name);
    };
    for (const Json* part : shape.parts()) {
      if (const Json* properties = member(*part, "properties")) {
        if (!properties->is_object()) throw Refusal("the schema's properties are no object");
        for (const auto& entry : properties->items()) add(entry.key());
      }
    }
    for (const Json* part : shape.parts()) {
      const Json* required = member(*part, "required");
      if (required == nullptr) continue;
      if (!required->is_array()) throw Refusal("the schema's required is no list");
      for (const Json& name : *required) {
        if (!name.is_string()) throw Refusal("the schema's required holds something that is no name");
        add(name.get<std::string>());
        names.required.insert(name.get<std::string>());
      }
    }
    return names;
  }

  Part object(const Shape& shape) {
    const Names names = names_of(shape);
    const Part all{graph_.node(), graph_.node()};
    const Part open = graph_.sequence({graph_.literal("{"), pieces_.space()});
    const Part end = graph_.sequence({pieces_.space(), graph_.literal("}")});
    const Part empty_end = graph_.literal("}");
    graph_.nothing(all.in, open.in);
    graph_.nothing(end.out, all.out);
    graph_.nothing(empty_end.out, all.out);
    // Two places between members: nothing written yet, or something.
    Node none = open.out, some = graph_.node();
    for (const std::string& name : names.order) {
      const Node next_none = graph_.node(), next_some = graph_.node();
      const Part one = pieces_.member(pieces_.literal(Json(name)), call(named(shape, name)));
      lead_to(none, some, one.in);
      graph_.nothing(one.out, next_some);
      if (!names.required.contains(name)) {
        graph_.nothing(none, next_none);
        graph_.nothing(some, next_some);
      }
      none = next_none;
      some = next_some;
    }
    graph_.nothing(none, empty_end.in);
    graph_.nothing(some, end.in);
    for (const Part& one : additional(shape, names)) {
      lead_to(none, some, one.in);
      graph_.nothing(one.out, some);
    }
    return all;
  }

  void lead_to(Node none, Node some, Node member) {
    graph_.nothing(none, member);
    const Part comma = graph_.sequence({pieces_.space(), graph_.literal(","), pieces_.space()});
    graph_.nothing(some, comma.in);
    graph_.nothing(comma.out, member);
  }

  // Members of other names: one kind for each set of patterns that a name may match.
  std::vector<Part> additional(const Shape& shape, const Names& names) {
    constexpr std::size_t kMostPatterns = 5;
    std::set<std::string> patterns;
    for (const Json* part : shape.parts()) {
      if (const Json* given = member(*part, "patternProperties")) {
        for (const auto& entry : given->items()) patterns.insert(entry.key());
      }
    }
    if (patterns.size() > kMostPatterns)
      throw Refusal(fmt::format(
          "the schema keyword 'patternProperties' is supported with at most {} patterns", kMostPatterns));
    const std::vector<std::string> list(patterns.begin(), patterns.end());
    std::vector<Part> parts;
    for (std::size_t chosen = 0; chosen < std::size_t{1} << list.size(); ++chosen) {
      const Schemas schemas = unnamed(shape, list, chosen);
      if (std::any_of(schemas.begin(), schemas.end(),
                      [](const Json* schema) { return *schema == Json(false); }))
        continue;
      if (list.empty() && names.order.empty()) {
        parts.push_back(pieces_.member(pieces_.any_string(), call(schemas)));
        continue;
      }
      Dfa key = pieces_.any_key();
      for (std::size_t i = 0; i < list.size(); ++i) {
        const Dfa& pattern = key_pattern(list[i]);
        key = (chosen >> i & 1U) != 0 ? key.both(pattern) : key.without(pattern);
      }
      if (!names.order.empty()) key = key.without(any_of(names.order));
      if (!key.empty()) parts.push_back(pieces_.member(pieces_.quoted(key), call(schemas)));
    }
    return parts;
  }

  Dfa any_of(const std::vector<std::string>& names) const {
    Graph graph(graph_.work());
    std::vector<Part> parts;
    for (const std::string& name : names) parts.push_back(graph.literal(spelled(name, Spelling::json)));
    return Dfa::of(graph, graph.choice(parts));
  }

  static Schemas unnamed(const Shape& shape, const std::vector<std::string>& patterns, std::size_t chosen) {
    Schemas all;
    for (const Json* part : shape.parts()) {
      bool known = false;
      if (const Json* given = member(*part, "patternProperties")) {
        for (std::size_t i = 0; i < patterns.size(); ++i) {
          if ((chosen >> i & 1U) == 0 || !given->contains(patterns[i])) continue;
          all.push_back(&(*given)[patterns[i]]);
          known = true;
        }
      }
      const Json* others = member(*part, "additionalProperties");
      if (!known && others != nullptr) all.push_back(others);
    }
    return all;
  }

  Graph& graph_;
  JsonPieces pieces_;
  Shapes shapes_;
  std::map<Schemas, Rule> rules_;
  std::vector<std::pair<Rule, Schemas>> queue_;
  std::map<std::string, Dfa> key_patterns_;
};

}  // namespace

Rule compile_schema(Graph& graph, const util::Json& schema, bool object) {
  const Json an_object{{"type", "object"}};
  Schemas all{&schema};
  if (object) all.push_back(&an_object);
  return SchemaCompiler(graph, schema).compile(all);
}

std::vector<Parameter> compile_parameters(Graph& graph, const util::Json& schema, const std::string& end) {
  const Json an_object{{"type", "object"}};
  return SchemaCompiler(graph, schema).parameters({&schema, &an_object}, end);
}

Rule compile_json_object(Graph& graph) {
  JsonPieces pieces(graph);
  const Rule rule = graph.declare();
  graph.define(rule, graph.sequence({graph.empty(), pieces.any_object(), graph.empty()}));
  return rule;
}

}  // namespace pensieve::engine::constraint
