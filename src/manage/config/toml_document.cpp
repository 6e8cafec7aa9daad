// TOML through toml++; its exceptions end here. It refuses duplicate keys and deep nesting by itself.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <utility>

#include "manage/config/document.h"

namespace pensieve::manage {
namespace {

class TomlReader {
 public:
  TomlReader(const std::string& name, ConfigLimits limits)
      : name_(name), left_(limits.values), limits_(limits) {}

  Result<ConfigNode> read(const toml::node& node, std::size_t depth) {
    ConfigNode out;
    out.line = std::max<std::uint32_t>(1, node.source().begin.line);
    if (depth > limits_.depth || left_-- == 0) {
      return tl::unexpected(
          config_error(name_, out.line, depth > limits_.depth ? "nested too deeply" : "too many values"));
    }
    if (const auto* flag = node.as_boolean()) {
      out.value = flag->get();
    } else if (const auto* integer = node.as_integer()) {
      out.value = integer->get();
    } else if (const auto* real = node.as_floating_point()) {
      out.value = real->get();
    } else if (const auto* text = node.as_string()) {
      out.value = text->get();
    } else if (const auto* list = node.as_array()) {
      return read_list(*list, std::move(out), depth);
    } else if (const auto* table = node.as_table()) {
      return read_table(*table, std::move(out), depth);
    } else {
      out.value = ConfigNode::Other{"date"};
    }
    return out;
  }

 private:
  Result<ConfigNode> read_list(const toml::array& array, ConfigNode out, std::size_t depth) {
    ConfigNode::List items;
    for (const toml::node& item : array) {
      Result<ConfigNode> node = read(item, depth + 1);
      if (!node) return node;
      items.push_back(std::move(*node));
    }
    out.value = std::move(items);
    return out;
  }

  Result<ConfigNode> read_table(const toml::table& table, ConfigNode out, std::size_t depth) {
    ConfigNode::Table members;
    for (auto&& [key, item] : table) {
      Result<ConfigNode> node = read(item, depth + 1);
      if (!node) return node;
      members.push_back(
          {std::string(key.str()), std::max<std::uint32_t>(1, key.source().begin.line), std::move(*node)});
    }
    out.value = std::move(members);
    return out;
  }

  const std::string& name_;
  std::size_t left_;
  const ConfigLimits limits_;
};

}  // namespace

Result<ConfigNode> parse_toml(std::string_view text, const std::string& name, ConfigLimits limits) {
  try {
    const toml::table root = toml::parse(text, std::string_view(name));
    return TomlReader(name, limits).read(root, 0);
  } catch (const toml::parse_error& problem) {
    return tl::unexpected(config_error(name, problem.source().begin.line,
                                       fmt::format("not valid TOML: {}", problem.description())));
  } catch (const std::exception& problem) {
    return tl::unexpected(config_error(name, 1, fmt::format("cannot be read as TOML: {}", problem.what())));
  }
}

}  // namespace pensieve::manage
