// See fields.h.
#include "server/dialects/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "util/unicode.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kShownBytes = 60;
constexpr std::size_t kUnknownShown = 16;

std::string shown(const Json& value) {
  std::string text;
  if (value.is_structured()) {
    text = value.is_object() ? "an object" : "a list";
    return value.empty() ? text + " without content" : text;
  }
  text = util::to_json(value);
  if (text.size() > kShownBytes) {
    text.resize(util::complete_utf8(std::string_view(text).substr(0, kShownBytes)));
    text += "…";
  }
  return text;
}

bool is_whole(const Json& value) {
  if (value.is_number_integer()) return true;
  if (!value.is_number_float()) return false;
  const double number = value.get<double>();
  return std::trunc(number) == number;
}

bool has_kind(const Json& value, FieldKind kind) {
  switch (kind) {
    case FieldKind::boolean:
      return value.is_boolean();
    case FieldKind::integer:
      return is_whole(value);
    case FieldKind::number:
      return value.is_number();
    case FieldKind::text:
      return value.is_string();
    case FieldKind::object:
      return value.is_object();
    case FieldKind::list:
      return value.is_array();
    case FieldKind::anything:
    case FieldKind::inert:
    case FieldKind::refused:
      return true;
  }
  return false;
}

std::string_view kind_name(FieldKind kind) {
  switch (kind) {
    case FieldKind::boolean:
      return "true or false";
    case FieldKind::integer:
      return "a whole number";
    case FieldKind::number:
      return "a number";
    case FieldKind::text:
      return "a string";
    case FieldKind::object:
      return "an object";
    case FieldKind::list:
      return "a list";
    default:
      return "something else";
  }
}

bool is_neutral(const Json& value, double neutral) {
  if (value.is_number()) return value.get<double>() == neutral;
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value.empty();
}

std::string range_text(const Field& field) {
  const bool low = std::isfinite(field.minimum), high = std::isfinite(field.maximum);
  if (!field.remedy.empty()) return std::string(field.remedy);
  if (low && high) return fmt::format("between {} and {}", field.minimum, field.maximum);
  return low ? fmt::format("at least {}", field.minimum) : fmt::format("at most {}", field.maximum);
}

Result<> check_field(const Json& value, const Field& field, std::string_view where) {
  const std::string name = std::string(where) + std::string(field.name);
  if (field.kind == FieldKind::refused) {
    if (is_neutral(value, field.neutral)) return {};
    return fail(Error::Code::unsupported,
                fmt::format("{}: this server cannot do that yet (got {}); {}", name, shown(value),
                            field.remedy.empty() ? "leave the field out" : field.remedy),
                name);
  }
  if (!has_kind(value, field.kind)) return wrong_field(name, kind_name(field.kind), value);
  if (!value.is_number()) return {};
  const double number = value.get<double>();
  if (!(number >= field.minimum && number <= field.maximum))
    return wrong_field(name, range_text(field), value);
  // Whole numbers beyond 64 bits arrive as floating point and would lose digits.
  if (field.kind == FieldKind::integer && value.is_number_float() && std::fabs(number) > 9007199254740992.0) {
    return wrong_field(name, "a whole number of at most 64 bits", value);
  }
  return {};
}

}  // namespace

tl::unexpected<Error> wrong_field(std::string field, std::string_view expected, const Json& value) {
  std::string what = fmt::format("{} must be {}, not {}", field, expected, shown(value));
  return fail(Error::Code::invalid, std::move(what), std::move(field));
}

Result<> check_fields(const Json& object, std::span<const Field> table, std::string_view where) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_null()) continue;
    const std::string_view key = name;
    const auto field =
        std::find_if(table.begin(), table.end(), [key](const Field& entry) { return entry.name == key; });
    if (field == table.end()) continue;
    if (auto checked = check_field(value, *field, where); !checked) return checked;
  }
  return {};
}

std::vector<std::string> inert_fields(const Json& object,
                                      std::initializer_list<std::span<const Field>> tables) {
  std::vector<std::string> names;
  for (const std::span<const Field> table : tables) {
    for (const Field& entry : table) {
      if (entry.kind != FieldKind::inert) continue;
      const Json* value = find_field(object, entry.name);
      if (value != nullptr && !is_neutral(*value, entry.neutral)) names.emplace_back(entry.name);
    }
  }
  return names;
}

std::vector<std::string> unknown_fields(const Json& object,
                                        std::initializer_list<std::span<const Field>> tables) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) {
    const std::string_view key = name;
    const bool known = std::any_of(tables.begin(), tables.end(), [key](std::span<const Field> table) {
      return std::any_of(table.begin(), table.end(), [key](const Field& entry) { return entry.name == key; });
    });
    if (!known && names.size() < kUnknownShown) names.push_back(name);
  }
  return names;
}

const Json* find_field(const Json& object, std::string_view name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::optional<double> number_field(const Json& object, std::string_view name) {
  const Json* value = find_field(object, name);
  return value ? std::optional(value->get<double>()) : std::nullopt;
}

std::optional<std::int64_t> integer_field(const Json& object, std::string_view name) {
  const Json* value = find_field(object, name);
  return value ? std::optional(value->get<std::int64_t>()) : std::nullopt;
}

bool boolean_field(const Json& object, std::string_view name, bool fallback) {
  const Json* value = find_field(object, name);
  return value ? value->get<bool>() : fallback;
}

std::string text_field(const Json& object, std::string_view name) {
  const Json* value = find_field(object, name);
  return value ? value->get<std::string>() : std::string();
}

Result<Json> parse_body(std::string_view body) {
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return fail(Error::Code::invalid, "the body is empty; send a JSON object");
  }
  auto json = util::parse_json(body);
  if (!json) {
    Error problem = std::move(json.error());
    problem.code = Error::Code::invalid;
    problem.what = "the body is " + problem.what;
    return tl::unexpected(std::move(problem));
  }
  if (!json->is_object()) {
    return fail(Error::Code::invalid, "the body must be a JSON object, not " + shown(*json));
  }
  return json;
}

}  // namespace pensieve::server
