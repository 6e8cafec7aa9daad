// Reads the environment table once; nothing here calls getenv, so tests need not change the process.
#include "manage/config/environment.h"

#include <fmt/format.h>

#include <cctype>
#include <string_view>

#include "manage/nearest.h"

namespace pensieve::manage {
namespace {

std::string upper(std::string_view word) {
  std::string out(word);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

std::vector<Error> apply_environment(Schema& schema, const char* const* environment) {
  std::vector<Error> problems;
  std::vector<std::string> known;
  for (const Setting& setting : schema.settings()) known.push_back(setting.environment);
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || !entry.starts_with("PENSIEVE_")) continue;
    const std::string name(entry.substr(0, equals));
    for (const std::string& section : schema.sections()) {
      const std::string prefix = "PENSIEVE_" + upper(section) + "_";
      if (!name.starts_with(prefix)) continue;
      Setting* setting = nullptr;
      for (const std::string& key : schema.keys(section)) {
        if (prefix + upper(key) == name) setting = schema.find(section, key);
      }
      if (setting == nullptr) {
        problems.push_back(Error{Error::Code::invalid,
                                 fmt::format("environment variable {} is no option of [{}]{}", name, section,
                                             did_you_mean(name, known)),
                                 name,
                                 "",
                                 {}});
      } else if (Result<> assigned =
                     Schema::assign_text(*setting, entry.substr(equals + 1), Source::environment, name);
                 !assigned) {
        problems.push_back(std::move(assigned.error()));
      }
    }
  }
  return problems;
}

}  // namespace pensieve::manage
