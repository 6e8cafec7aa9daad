// Conversion of JSON trees.
#include "model/chat/jinja/json_input.h"

#include <fmt/format.h>

#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

Text text_of(const std::string& bytes, Origin origin) {
  return Text(util::valid_utf8(bytes) ? bytes : util::repair_utf8(bytes), origin);
}

Value convert(const util::Json& json, Origin origin, std::uint32_t level) {
  if (level > kDeepest)
    fail_runtime(fmt::format("template variables are nested deeper than {} levels", kDeepest));
  switch (json.type()) {
    case util::Json::value_t::boolean:
      return Value(json.get<bool>());
    case util::Json::value_t::number_integer:
      return Value(json.get<std::int64_t>());
    case util::Json::value_t::number_unsigned: {
      const auto value = json.get<std::uint64_t>();
      if (value > static_cast<std::uint64_t>(INT64_MAX)) return Value(static_cast<double>(value));
      return Value(static_cast<std::int64_t>(value));
    }
    case util::Json::value_t::number_float:
      return Value(json.get<double>());
    case util::Json::value_t::string:
      return Value(text_of(json.get_ref<const std::string&>(), origin));
    case util::Json::value_t::array: {
      ListBuilder items(nullptr);
      for (const util::Json& item : json) items.push(convert(item, origin, level + 1));
      return std::move(items).finish();
    }
    case util::Json::value_t::object: {
      DictBuilder entries(nullptr);
      for (const auto& [key, value] : json.items())
        entries.set(Value(text_of(key, origin)), convert(value, origin, level + 1));
      return std::move(entries).finish();
    }
    default:
      return Value::none();
  }
}

}  // namespace

Value from_json(const util::Json& json, Origin origin) {
  return convert(json, origin, 1);
}

}  // namespace pensieve::model::jinja
