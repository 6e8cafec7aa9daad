// Fields: request objects described as tables, checked by one function: every wrong type or range is one
// error that names field, value and what is allowed. Null means the default everywhere; names in no table are
// ignored.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "util/json.h"

namespace pensieve::server {

using util::Json;

enum class FieldKind : std::uint8_t {
  boolean,
  integer,
  number,
  text,
  object,
  list,
  anything,  // read elsewhere, or without meaning here
  inert,     // taken because clients always send it, but without effect here: told in a header
  refused,  // known, but not served: only a value that switches it off (null, false, empty, `neutral`) passes
};

struct Field {
  std::string_view name;
  FieldKind kind;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::string_view remedy = {};  // added to the error
  double neutral = 0;            // refused and inert: also this number is nothing said
};

// `where` stands before the names in errors: "" or "messages[3].".
Result<> check_fields(const Json& object, std::span<const Field> table, std::string_view where = {});
// Names of members that are inert by the tables and say something.
std::vector<std::string> inert_fields(const Json& object,
                                      std::initializer_list<std::span<const Field>> tables);
// Names of members that none of the tables knows; at most sixteen.
std::vector<std::string> unknown_fields(const Json& object,
                                        std::initializer_list<std::span<const Field>> tables);

// The member unless it is absent or null. The typed forms expect check_fields to have passed.
const Json* find_field(const Json& object, std::string_view name);
std::optional<double> number_field(const Json& object, std::string_view name);
std::optional<std::int64_t> integer_field(const Json& object, std::string_view name);
bool boolean_field(const Json& object, std::string_view name, bool fallback);
std::string text_field(const Json& object, std::string_view name);

// "must be …, not VALUE", the value shortened.
tl::unexpected<Error> wrong_field(std::string field, std::string_view expected, const Json& value);

// The body of a request, which must be one JSON object.
Result<Json> parse_body(std::string_view body);

}  // namespace pensieve::server
