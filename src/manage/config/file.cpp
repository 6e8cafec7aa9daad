// Holds a file's tree against the schema, key by key.
#include "manage/config/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "manage/config/document.h"
#include "manage/nearest.h"
#include "util/unicode.h"

namespace pensieve::manage {
namespace {

std::string_view kind_name(const ConfigNode& node) {
  if (const auto* other = std::get_if<ConfigNode::Other>(&node.value)) return other->kind;
  if (std::holds_alternative<ConfigNode::Nothing>(node.value)) return "empty value";
  if (std::holds_alternative<ConfigNode::Table>(node.value)) return "table";
  if (std::holds_alternative<ConfigNode::List>(node.value)) return "mixed list";
  return "value of this kind";
}

// Keys are foreign text too: shown short and whole.
std::string shown(const std::string& key) {
  constexpr std::size_t kShown = 60;
  return util::repair_utf8(std::string_view(key).substr(0, kShown));
}

class Reader {
 public:
  Reader(Schema& schema, const std::string& name) : schema_(schema), name_(name) {}

  std::vector<Error> read(const ConfigNode& root) {
    for (const ConfigMember& section : std::get<ConfigNode::Table>(root.value)) {
      const std::string& word = section.key;
      if (schema_.ignores(word)) continue;
      if (!schema_.has_section(word)) {
        add(section.line,
            fmt::format("unknown section '{}'; sections are {}{}", shown(word),
                        fmt::join(schema_.sections(), ", "), elsewhere(word, schema_.sections())),
            word);
      } else if (const auto* keys = std::get_if<ConfigNode::Table>(&section.node.value)) {
        read_section(word, *keys);
      } else if (!std::holds_alternative<ConfigNode::Nothing>(section.node.value)) {
        add(section.line, fmt::format("'{}' is a section: its keys belong below it", word), word);
      }
    }
    return std::move(problems_);
  }

 private:
  void add(std::uint32_t line, const std::string& what, std::string field) {
    problems_.push_back(config_error(name_, line, what, std::move(field)));
  }

  // A key written outside of its section is the usual slip: tell where it belongs.
  std::string elsewhere(const std::string& word, const std::vector<std::string>& known) const {
    for (const Setting& setting : schema_.settings()) {
      if (setting.key == word) return fmt::format("; '{}' belongs into [{}]", word, setting.section);
    }
    return did_you_mean(word, known);
  }

  void read_section(const std::string& section, const ConfigNode::Table& keys) {
    for (const ConfigMember& member : keys) {
      Setting* setting = schema_.find(section, member.key);
      if (setting == nullptr) {
        const std::vector<std::string> known = schema_.keys(section);
        add(member.line,
            fmt::format("unknown key '{}' in [{}]{}; keys are {}", shown(member.key), section,
                        elsewhere(member.key, known), fmt::join(known, ", ")),
            section + "." + shown(member.key));
        continue;
      }
      read_value(*setting, member);
    }
  }

  static std::optional<SettingValue> value_of(const Setting& setting, const ConfigNode& node) {
    const bool wants_list = std::holds_alternative<std::vector<std::string>*>(setting.target);
    if (const auto* flag = std::get_if<bool>(&node.value)) return *flag;
    if (const auto* integer = std::get_if<std::int64_t>(&node.value)) return *integer;
    if (const auto* real = std::get_if<double>(&node.value)) return *real;
    if (const auto* text = std::get_if<std::string>(&node.value)) {
      if (wants_list) return std::vector<std::string>{*text};
      return *text;
    }
    const auto* list = std::get_if<ConfigNode::List>(&node.value);
    if (list == nullptr) return std::nullopt;
    std::vector<std::string> texts;
    for (const ConfigNode& item : *list) {
      const auto* text = std::get_if<std::string>(&item.value);
      if (text == nullptr) return std::nullopt;
      texts.push_back(*text);
    }
    return texts;
  }

  void read_value(Setting& setting, const ConfigMember& member) {
    std::optional<SettingValue> value = value_of(setting, member.node);
    if (!value) {
      add(member.line,
          fmt::format("{} cannot be a {}; expected {}", setting.name(), kind_name(member.node),
                      setting.kind()),
          setting.name());
      return;
    }
    const std::string where = fmt::format("{}:{}", name_, member.line);
    if (Result<> assigned = Schema::assign(setting, std::move(*value), Source::file, where); !assigned)
      problems_.push_back(std::move(assigned.error()));
  }

  Schema& schema_;
  const std::string& name_;
  std::vector<Error> problems_;
};

using Parser = Result<ConfigNode> (*)(std::string_view, const std::string&, ConfigLimits);

std::vector<Error> apply(Schema& schema, std::string_view text, const std::string& name, Parser parse) {
  const ConfigLimits limits;
  if (text.size() > limits.bytes) {
    return {config_error(
        name, 1,
        fmt::format("{} bytes are too many for a configuration file (limit {})", text.size(), limits.bytes))};
  }
  Result<ConfigNode> root = parse(text, name, limits);
  if (!root) return {std::move(root.error())};
  return Reader(schema, name).read(*root);
}

// Not mapped: a file that is being edited may shrink under the reader.
Result<std::string> read_whole(const std::string& path) {
  const auto refuse = [&path](const std::string& why) {
    return fail(Error::Code::io, fmt::format("{}: cannot be read: {}", path, why));
  };
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return refuse(std::strerror(errno));
  std::string text;
  struct stat facts {};
  if (::fstat(file, &facts) != 0 || !S_ISREG(facts.st_mode)) {
    ::close(file);
    return refuse("it is no regular file");
  }
  const std::size_t most = ConfigLimits{}.bytes + 1;  // one more tells that it is too large
  char bytes[16384];
  ssize_t count = 0;
  while (text.size() < most && (count = ::read(file, bytes, sizeof(bytes))) > 0)
    text.append(bytes, static_cast<std::size_t>(count));
  const int problem = count < 0 ? errno : 0;
  ::close(file);
  if (problem != 0) return refuse(std::strerror(problem));
  return text;
}

bool called_yaml(const std::string& path) {
  return path.ends_with(".yaml") || path.ends_with(".yml");
}

}  // namespace

Error config_error(const std::string& name, std::uint32_t line, const std::string& what, std::string field) {
  return Error{Error::Code::invalid, fmt::format("{}:{}: {}", name, line, what), std::move(field), "", {}};
}

std::vector<Error> apply_toml(Schema& schema, std::string_view text, const std::string& name) {
  return apply(schema, text, name, &parse_toml);
}

std::vector<Error> apply_yaml(Schema& schema, std::string_view text, const std::string& name) {
  return apply(schema, text, name, &parse_yaml);
}

std::vector<Error> apply_file(Schema& schema, const std::string& path) {
  const Result<std::string> text = read_whole(path);
  if (!text) return {text.error()};
  return called_yaml(path) ? apply_yaml(schema, *text, path) : apply_toml(schema, *text, path);
}

}  // namespace pensieve::manage
