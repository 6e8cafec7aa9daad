// JSON's own grammar, with spelling as a sampler should write it.
#include "engine/constraint/json_pieces.h"

#include "engine/constraint/regex.h"

namespace pensieve::engine::constraint {
namespace {

constexpr std::int64_t kDeepestIndent = 24;

CharSet set_of(std::initializer_list<std::pair<char32_t, char32_t>> ranges) {
  CharSet set;
  for (const auto& range : ranges) set.add(range.first, range.second);
  return set;
}

CharSet hexadecimal() {
  return set_of({{'0', '9'}, {'a', 'f'}, {'A', 'F'}});
}

// \uXXXX of a character of its own, or of a pair of surrogates.
Part unicode_escape(Graph& graph) {
  const auto digit = [&](const CharSet& set) { return graph.characters(set); };
  const auto hex = [&] { return digit(hexadecimal()); };
  const CharSet d = set_of({{'d', 'd'}, {'D', 'D'}});
  const CharSet not_d = set_of({{'0', '9'}, {'a', 'c'}, {'e', 'f'}, {'A', 'C'}, {'E', 'F'}});
  const CharSet high = set_of({{'8', '9'}, {'a', 'b'}, {'A', 'B'}});
  const CharSet low = set_of({{'c', 'f'}, {'C', 'F'}});
  return graph.sequence(
      {graph.literal("\\u"),
       graph.choice({graph.sequence({digit(not_d), hex(), hex(), hex()}),
                     graph.sequence({digit(d), digit(set_of({{'0', '7'}})), hex(), hex()}),
                     graph.sequence({digit(d), digit(high), hex(), hex(), graph.literal("\\u"), digit(d),
                                     digit(low), hex(), hex()})})});
}

}  // namespace

JsonPieces::JsonPieces(Graph& graph)
    : graph_(graph),
      space_(graph.declare()),
      character_(graph.declare()),
      string_(graph.declare()),
      value_(graph.declare()),
      object_(graph.declare()),
      array_(graph.declare()) {
  const CharSet blank = set_of({{' ', ' '}, {'\t', '\t'}});
  graph.define(
      space_,
      graph.choice(
          {graph.empty(), graph.literal(" "),
           graph.sequence({graph.choice({graph.literal("\n"), graph.literal("\r\n")}),
                           graph.repeat([&] { return graph.characters(blank); }, 0, kDeepestIndent)})}));
  CharSet raw = set_of({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});
  raw.negate();
  CharSet escapes;
  for (const char c : std::string_view("\"\\/bfnrt"))
    escapes.add(static_cast<char32_t>(c), static_cast<char32_t>(c));
  graph.define(character_, graph.choice({graph.characters(raw),
                                         graph.sequence({graph.literal("\\"), graph.characters(escapes)}),
                                         unicode_escape(graph)}));
  graph.define(string_, graph.sequence(
                            {graph.literal("\""), graph.star(graph.call(character_)), graph.literal("\"")}));
  const auto separated = [&](const char* open, const auto& item, const char* close) {
    const Part more = graph.star(graph.sequence({space(), graph.literal(","), space(), item()}));
    return graph.sequence({graph.literal(open), space(),
                           graph.optional(graph.sequence({item(), more, space()})), graph.literal(close)});
  };
  graph.define(object_, separated(
                            "{", [&] { return member(any_string(), any_value()); }, "}"));
  graph.define(array_, separated(
                           "[", [&] { return any_value(); }, "]"));
  graph.define(value_, graph.choice({any_string(), any_number(false), any_object(), graph.call(array_),
                                     graph.literal("true"), graph.literal("false"), graph.literal("null")}));
}

Part JsonPieces::any_number(bool integer) {
  const auto digits = [&] { return graph_.characters(set_of({{'0', '9'}})); };
  const Part whole = graph_.sequence(
      {graph_.optional(graph_.literal("-")),
       graph_.choice({graph_.literal("0"),
                      graph_.sequence({graph_.characters(set_of({{'1', '9'}})), graph_.star(digits())})})});
  if (integer) return whole;
  const Part fraction = graph_.sequence({graph_.literal("."), digits(), graph_.star(digits())});
  const Part exponent = graph_.sequence({graph_.characters(set_of({{'e', 'e'}, {'E', 'E'}})),
                                         graph_.optional(graph_.characters(set_of({{'+', '+'}, {'-', '-'}}))),
                                         digits(), graph_.star(digits())});
  return graph_.sequence({whole, graph_.optional(fraction), graph_.optional(exponent)});
}

Part JsonPieces::string_of_length(std::int64_t least, std::int64_t most) {
  return graph_.sequence({graph_.literal("\""),
                          graph_.repeat([&] { return graph_.call(character_); }, least, most),
                          graph_.literal("\"")});
}

Part JsonPieces::quoted(const Dfa& inside) {
  return graph_.sequence({graph_.literal("\""), inside.emit(graph_), graph_.literal("\"")});
}

Part JsonPieces::member(Part key, Part value) {
  return graph_.sequence({key, space(), graph_.literal(":"), space(), value});
}

Part JsonPieces::literal(const util::Json& value) {
  if (value.is_string())
    return graph_.literal("\"" + spelled(value.get_ref<const std::string&>(), Spelling::json) + "\"");
  if (!value.is_structured()) return graph_.literal(util::to_json(value));
  std::vector<Part> parts{graph_.literal(value.is_array() ? "[" : "{"), space()};
  bool first = true;
  for (const auto& entry : value.items()) {
    if (!std::exchange(first, false)) {
      parts.push_back(graph_.literal(","));
      parts.push_back(space());
    }
    const Part inner = literal(entry.value());
    parts.push_back(value.is_array() ? inner : member(literal(util::Json(entry.key())), inner));
    parts.push_back(space());
  }
  if (value.empty())
    return graph_.sequence({parts[0], parts[1], graph_.literal(value.is_array() ? "]" : "}")});
  parts.push_back(graph_.literal(value.is_array() ? "]" : "}"));
  return graph_.sequence(parts);
}

Dfa JsonPieces::any_key() const {
  return key_of_length(0, -1);
}

Dfa JsonPieces::key_of_length(std::int64_t least, std::int64_t most) const {
  Graph graph(graph_.work());
  const Part part =
      graph.repeat([&] { return spelled_characters(graph, CharSet::any(), Spelling::json); }, least, most);
  return Dfa::of(graph, part);
}

}  // namespace pensieve::engine::constraint
