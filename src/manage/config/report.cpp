// Renders the schema; the option tables are the only source of its texts.
#include "manage/config/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pensieve::manage {
namespace {

using util::Json;

Json to_value(const Setting& setting, const SettingValue& value) {
  if (setting.secret && value != setting.initial) return "(set)";
  return std::visit([](const auto& held) { return Json(held); }, value);
}

Json describe(const Setting& setting) {
  constexpr const char* kTypes[] = {"boolean", "integer", "number", "string", "array"};
  Json entry{{"description", setting.help}, {"type", kTypes[setting.target.index()]}};
  if (std::holds_alternative<std::vector<std::string>*>(setting.target))
    entry["items"] = Json{{"type", "string"}};
  if (!setting.allowed.empty()) entry["enum"] = setting.allowed;
  if (std::isfinite(setting.minimum)) entry["minimum"] = static_cast<std::int64_t>(setting.minimum);
  if (std::isfinite(setting.maximum)) entry["maximum"] = static_cast<std::int64_t>(setting.maximum);
  if (setting.multiple_of > 1) entry["multipleOf"] = setting.multiple_of;
  entry["default"] = std::visit([](const auto& held) { return Json(held); }, setting.initial);
  if (!setting.unit.empty()) entry["x-unit"] = setting.unit;
  entry["x-flag"] = "--" + setting.flag;
  entry["x-environment"] = setting.environment;
  entry["x-live"] = setting.live;
  if (setting.secret) entry["writeOnly"] = true;
  return entry;
}

std::string where(const Setting& setting) {
  if (setting.source == Source::standard) return "default";
  return fmt::format("{} {}", source_name(setting.source), setting.origin);
}

}  // namespace

std::string explain_text(const Schema& schema) {
  std::size_t key_width = 0, value_width = 0;
  for (const Setting& setting : schema.settings()) {
    key_width = std::max(key_width, setting.name().size());
    value_width = std::max(value_width, show(setting, setting.value()).size());
  }
  std::string out;
  for (const Setting& setting : schema.settings()) {
    out += fmt::format("{:<{}}  {:<{}}  {}\n", setting.name(), key_width, show(setting, setting.value()),
                       value_width, where(setting));
  }
  return out;
}

Json explain_json(const Schema& schema) {
  Json all = Json::object();
  for (const Setting& setting : schema.settings()) {
    Json entry{{"value", to_value(setting, setting.value())}, {"source", source_name(setting.source)}};
    if (!setting.origin.empty()) entry["origin"] = setting.origin;
    all[setting.section][setting.key] = std::move(entry);
  }
  return all;
}

Json json_schema(const Schema& schema) {
  Json sections = Json::object();
  for (const Setting& setting : schema.settings()) {
    Json& section = sections[setting.section];
    if (section.is_null())
      section = Json{{"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
    section["properties"][setting.key] = describe(setting);
  }
  return Json{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"title", "Pensieve configuration"},
              {"type", "object"},
              {"additionalProperties", false},
              {"properties", std::move(sections)}};
}

}  // namespace pensieve::manage
