// Option tables turned into settings, and the one place where a value is checked.
#include "manage/config/schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <type_traits>

namespace pensieve::manage {
namespace {

std::string bounds(const Setting& setting) {
  const bool low = std::isfinite(setting.minimum), high = std::isfinite(setting.maximum);
  const std::string unit = setting.unit.empty() ? "" : " " + setting.unit;
  if (low && high) return fmt::format(" from {:.0f} to {:.0f}{}", setting.minimum, setting.maximum, unit);
  if (low) return fmt::format(" of at least {:.0f}{}", setting.minimum, unit);
  if (high) return fmt::format(" of at most {:.0f}{}", setting.maximum, unit);
  return unit.empty() ? "" : " in" + unit;
}

std::string expected(const Setting& setting) {
  if (!setting.allowed.empty()) return fmt::format("one of {}", fmt::join(setting.allowed, ", "));
  const std::string step =
      setting.multiple_of > 1 ? fmt::format(", a multiple of {}", setting.multiple_of) : "";
  return setting.kind() + bounds(setting) + step;
}

tl::unexpected<Error> bad_value(const Setting& setting, const std::string& given, const std::string& origin) {
  return fail(Error::Code::invalid,
              fmt::format("{}: {} is {}, expected {}", origin, setting.name(),
                          setting.secret ? "not usable" : given, expected(setting)),
              setting.name());
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 80;
  return fmt::format("'{}{}'", text.substr(0, kShown), text.size() > kShown ? "…" : "");
}

bool allows(const Setting& setting, const SettingValue& value) {
  const auto in_bounds = [&](double number) {
    return number >= setting.minimum && number <= setting.maximum;
  };
  if (const auto* integer = std::get_if<std::int64_t>(&value))
    return in_bounds(static_cast<double>(*integer)) && *integer % setting.multiple_of == 0;
  if (const auto* real = std::get_if<double>(&value)) return std::isfinite(*real) && in_bounds(*real);
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || setting.allowed.empty()) return true;
  return std::find(setting.allowed.begin(), setting.allowed.end(), *text) != setting.allowed.end();
}

template <class Number>
bool parse_number(std::string_view text, Number& out) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  return problem == std::errc() && end == text.data() + text.size();
}

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

// A text that is not of the setting's kind stays a text: assign refuses it.
SettingValue parse_text(const Setting& setting, std::string_view text) {
  if (std::holds_alternative<bool*>(setting.target)) {
    if (text == "true" || text == "1" || text == "on" || text == "yes") return true;
    if (text == "false" || text == "0" || text == "off" || text == "no") return false;
  } else if (std::holds_alternative<std::int64_t*>(setting.target)) {
    if (std::int64_t number = 0; parse_number(text, number)) return number;
  } else if (std::holds_alternative<double*>(setting.target)) {
    if (double number = 0; parse_number(text, number)) return number;
  } else if (std::holds_alternative<std::vector<std::string>*>(setting.target)) {
    return split_commas(text);
  }
  return std::string(text);
}

}  // namespace

const char* source_name(Source source) {
  switch (source) {
    case Source::standard:
      return "default";
    case Source::file:
      return "file";
    case Source::environment:
      return "environment";
    case Source::flag:
      return "flag";
  }
  return "?";
}

SettingValue Setting::value() const {
  return std::visit([](auto* pointer) { return SettingValue(*pointer); }, target);
}

const char* Setting::kind() const {
  constexpr const char* kNames[] = {"true or false", "an integer", "a number", "a text", "a list of texts"};
  return kNames[target.index()];
}

void Schema::insert(Setting setting, std::string_view flag_prefix) {
  setting.flag = std::string(flag_prefix) + setting.key;
  std::replace(setting.flag.begin(), setting.flag.end(), '_', '-');
  setting.environment = "PENSIEVE_" + setting.section + "_" + setting.key;
  for (char& c : setting.environment) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  setting.initial = setting.value();
  settings_.push_back(std::move(setting));
}

Setting* Schema::find(std::string_view section, std::string_view key) {
  for (Setting& setting : settings_) {
    if (setting.section == section && setting.key == key) return &setting;
  }
  return nullptr;
}

Setting* Schema::find_flag(std::string_view flag) {
  for (Setting& setting : settings_) {
    if (setting.flag == flag) return &setting;
  }
  return nullptr;
}

bool Schema::has_section(std::string_view section) const {
  return std::any_of(settings_.begin(), settings_.end(),
                     [&](const Setting& s) { return s.section == section; });
}

bool Schema::ignores(std::string_view section) const {
  return std::find(ignored_.begin(), ignored_.end(), section) != ignored_.end();
}

std::vector<std::string> Schema::sections() const {
  std::vector<std::string> names;
  for (const Setting& setting : settings_) {
    if (std::find(names.begin(), names.end(), setting.section) == names.end())
      names.push_back(setting.section);
  }
  return names;
}

std::vector<std::string> Schema::keys(std::string_view section) const {
  std::vector<std::string> names;
  for (const Setting& setting : settings_) {
    if (setting.section == section) names.push_back(setting.key);
  }
  return names;
}

Result<> Schema::assign(Setting& setting, SettingValue value, Source source, const std::string& origin) {
  if (const auto* integer = std::get_if<std::int64_t>(&value);
      integer != nullptr && std::holds_alternative<double*>(setting.target)) {
    value = static_cast<double>(*integer);
  }
  if (value.index() != setting.target.index() || !allows(setting, value)) {
    return bad_value(setting,
                     std::holds_alternative<std::string>(value) ? quoted(std::get<std::string>(value))
                                                                : show(setting, value),
                     origin);
  }
  if (source < setting.source) return {};
  std::visit(
      [&](auto* pointer) { *pointer = std::get<std::remove_pointer_t<decltype(pointer)>>(std::move(value)); },
      setting.target);
  setting.source = source;
  setting.origin = origin;
  return {};
}

Result<> Schema::assign_text(Setting& setting, std::string_view text, Source source,
                             const std::string& origin) {
  return assign(setting, parse_text(setting, text), source, origin);
}

void Schema::adopt(Setting& setting, const Setting& other) {
  std::visit(
      [&](auto* pointer) { *pointer = std::get<std::remove_pointer_t<decltype(pointer)>>(other.value()); },
      setting.target);
  setting.source = other.source;
  setting.origin = other.origin;
  setting.initial = other.initial;
}

std::string show(const Setting& setting, const SettingValue& value) {
  if (setting.secret && value != setting.initial) return "(set)";
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  std::vector<std::string> parts;
  for (const std::string& part : std::get<std::vector<std::string>>(value)) parts.push_back(quoted(part));
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

}  // namespace pensieve::manage
