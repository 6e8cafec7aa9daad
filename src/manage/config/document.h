// ConfigNode: a configuration file as a tree, whichever language it was written in, with the line of every
// value. Not a schema: what the keys mean is asked in file.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"

namespace pensieve::manage {

struct ConfigMember;

struct ConfigNode {
  struct Nothing {};
  struct Other {  // a value that no setting can have: a date, a nested table
    std::string_view kind;
  };
  using List = std::vector<ConfigNode>;
  using Table = std::vector<ConfigMember>;  // in the order of the file; no key twice

  std::variant<Nothing, bool, std::int64_t, double, std::string, List, Table, Other> value;
  std::uint32_t line = 1;  // of the value
};

struct ConfigMember {
  std::string key;
  std::uint32_t line = 1;  // of the key
  ConfigNode node;
};

// Foreign bytes: bounded in size, depth and number of values; nothing is expanded.
struct ConfigLimits {
  std::size_t bytes = 1 << 20;
  std::size_t depth = 16;
  std::size_t values = 20'000;
};

// The root is a Table. An error names file, line and what is wrong: "pensieve.toml:3: …".
Result<ConfigNode> parse_toml(std::string_view text, const std::string& name, ConfigLimits limits = {});
// YAML 1.2's core schema, one document. Aliases, merge keys and tags are refused: a configuration that can
// multiply itself is none.
Result<ConfigNode> parse_yaml(std::string_view text, const std::string& name, ConfigLimits limits = {});

// "NAME:LINE: what".
Error config_error(const std::string& name, std::uint32_t line, const std::string& what,
                   std::string field = {});

}  // namespace pensieve::manage
