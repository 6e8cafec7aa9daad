// See constraint_fields.h.
#include "server/dialects/constraint_fields.h"

#include <fmt/format.h>

#include <utility>

namespace pensieve::server {
namespace {

using Found = std::optional<Constraint>;

// A schema is an object, or true for anything. False admits no answer at all.
Result<Found> read_schema(const Json& schema, const std::string& where) {
  if (schema.is_object() || (schema.is_boolean() && schema.get<bool>()))
    return Found(Constraint{Constraint::Kind::json_schema, util::to_json(schema), where});
  return wrong_field(where, "a JSON Schema (an object)", schema);
}

Result<Found> read_grammar(const Json& grammar) {
  if (!grammar.is_string()) return wrong_field("grammar", "GBNF as a string", grammar);
  if (grammar.get_ref<const std::string&>().empty()) return Found();
  return Found(Constraint{Constraint::Kind::gbnf, grammar.get<std::string>(), "grammar"});
}

Result<> join(Result<Found> more, const char* field, Found& all) {
  if (!more) return tl::unexpected(std::move(more.error()));
  if (!*more) return {};
  if (all) {
    return fail(Error::Code::invalid,
                fmt::format("{}: only one of response_format, json_schema and grammar is possible", field),
                field);
  }
  all = std::move(*more);
  return {};
}

}  // namespace

Result<Found> read_format(const Json& format, const std::string& where) {
  if (!format.is_object()) return wrong_field(where, "an object with a 'type'", format);
  const Json* type = find_field(format, "type");
  if (type == nullptr) {
    return fail(Error::Code::invalid,
                where + ".type is missing: 'text', 'json_object' and 'json_schema' are possible",
                where + ".type");
  }
  const bool object = *type == "json_object";
  if (*type == "text") return Found();
  if (!object && *type != "json_schema")
    return wrong_field(where + ".type", "'text', 'json_object' or 'json_schema'", *type);
  const Json* holder = find_field(format, "json_schema");
  if (holder && !holder->is_object()) return wrong_field(where + ".json_schema", "an object", *holder);
  std::string place = where + (holder && !object ? ".json_schema.schema" : ".schema");
  const Json* schema = find_field(holder && !object ? *holder : format, "schema");
  if (schema) return read_schema(*schema, place);
  if (object) return Found(Constraint{Constraint::Kind::json_object, {}, where});
  std::string what = place + " is missing: say what the answer must look like";
  return fail(Error::Code::invalid, std::move(what), std::move(place));
}

Result<Found> read_constraint(const Json& body) {
  Found found;
  if (const Json* format = find_field(body, "response_format")) {
    if (auto read = join(read_format(*format, "response_format"), "response_format", found); !read)
      return tl::unexpected(std::move(read.error()));
  }
  if (const Json* schema = find_field(body, "json_schema")) {
    if (auto read = join(read_schema(*schema, "json_schema"), "json_schema", found); !read)
      return tl::unexpected(std::move(read.error()));
  }
  if (const Json* grammar = find_field(body, "grammar")) {
    if (auto read = join(read_grammar(*grammar), "grammar", found); !read)
      return tl::unexpected(std::move(read.error()));
  }
  return found;
}

}  // namespace pensieve::server
