// JsonPieces: the parts of JSON that every schema is put together from. White space between tokens is at most
// one space, or a line end and its indentation, so that a sampler cannot write blanks without end.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/constraint/dfa.h"
#include "engine/constraint/graph.h"
#include "util/json.h"

namespace pensieve::engine::constraint {

class JsonPieces {
 public:
  explicit JsonPieces(Graph& graph);

  Part space() { return graph_.call(space_); }
  Part any_value() { return graph_.call(value_); }
  Part any_string() { return graph_.call(string_); }
  Part any_object() { return graph_.call(object_); }
  Part any_number(bool integer);
  Part string_of_length(std::int64_t least, std::int64_t most);  // most < 0: no limit
  Part quoted(const Dfa& inside);
  Part literal(const util::Json& value);  // with white space where JSON allows it
  Part member(Part key, Part value);      // KEY : VALUE
  Dfa any_key() const;                    // the inside of a string, spelled in one way
  Dfa key_of_length(std::int64_t least, std::int64_t most) const;

 private:
  Graph& graph_;
  Rule space_, character_, string_, value_, object_, array_;
};

// A number within bounds. Decimals are compared digit by digit; exponents are not written where there are
// bounds.
struct Bound {
  std::string decimal;  // as [-]digits[.digits]
  bool exclusive = false;
};
Part number_within(Graph& graph, bool integer, const std::optional<Bound>& low,
                   const std::optional<Bound>& high);
std::string plain_decimal(const util::Json& number);
int compare_decimals(const std::string& a, const std::string& b);

// The pattern of a format's texts; nothing: not known.
std::optional<std::string> format_pattern(const std::string& format);

}  // namespace pensieve::engine::constraint
