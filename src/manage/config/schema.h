// Schema: every option of the program as data, assembled from the modules' tables, bound to the structs that
// it fills. Not a parser of any source: file.h, environment.h and the command line each hand it one value at
// a time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/option.h"
#include "core/result.h"

namespace pensieve::manage {

// Where a value came from; a later one wins, whatever the order in which they are read.
enum class Source : std::uint8_t { standard, file, environment, flag };
const char* source_name(Source source);

using SettingValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

// One option of one section. Owns nothing of the struct that it fills: that must outlive the schema.
struct Setting {
  std::string section, key, help, unit;
  std::string flag;         // without dashes: "models-dir"
  std::string environment;  // PENSIEVE_SECTION_KEY
  double minimum = 0, maximum = 0;
  std::int64_t multiple_of = 1;
  std::vector<std::string> allowed;
  bool live = false, secret = false;
  std::variant<bool*, std::int64_t*, double*, std::string*, std::vector<std::string>*> target;
  SettingValue initial;
  Source source = Source::standard;
  std::string origin;  // "pensieve.toml:3", "--port"; empty for the default

  SettingValue value() const;
  std::string name() const { return section + "." + key; }
  const char* kind() const;  // "integer", as a person reads it
};

// Thread rule: one thread; filled once at start.
class Schema {
 public:
  // `flag_prefix` keeps short keys apart on the command line: section log, key level, flag --log-level.
  template <class Table, class Struct>
  void add(std::string section, const Table& table, Struct& target, std::string_view flag_prefix = "") {
    for (const auto& option : table) {
      Setting setting;
      setting.section = section;
      setting.key = std::string(option.key);
      setting.help = std::string(option.help);
      setting.unit = std::string(option.unit);
      setting.minimum = option.minimum;
      setting.maximum = option.maximum;
      setting.multiple_of = option.multiple_of;
      setting.allowed.assign(option.allowed.begin(), option.allowed.end());
      setting.live = option.live;
      setting.secret = option.secret;
      std::visit([&](auto member) { setting.target = &(target.*member); }, option.member);
      insert(std::move(setting), flag_prefix);
    }
  }
  // A section that other builds know: its content is read over, not refused.
  void ignore_section(std::string section) { ignored_.push_back(std::move(section)); }

  const std::vector<Setting>& settings() const { return settings_; }
  Setting* find(std::string_view section, std::string_view key);
  Setting* find_flag(std::string_view flag);
  bool has_section(std::string_view section) const;
  bool ignores(std::string_view section) const;
  std::vector<std::string> sections() const;
  std::vector<std::string> keys(std::string_view section) const;

  // Checks kind, bounds and allowed values. A value from a weaker source than the present one is checked and
  // dropped. `origin` opens the error message; the error's field is "section.key".
  static Result<> assign(Setting& setting, SettingValue value, Source source, const std::string& origin);
  // The same from text, as flags and environment variables give it; lists are separated by commas.
  static Result<> assign_text(Setting& setting, std::string_view text, Source source,
                              const std::string& origin);
  // Takes another's value and source, whichever source that is; both are settings of one option.
  static void adopt(Setting& setting, const Setting& other);

 private:
  void insert(Setting setting, std::string_view flag_prefix);

  std::vector<Setting> settings_;
  std::vector<std::string> ignored_;
};

// As shown to people; secrets are never shown.
std::string show(const Setting& setting, const SettingValue& value);

}  // namespace pensieve::manage
