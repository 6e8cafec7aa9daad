// TOML through toml++; its exceptions end here.
#include "manage/config/file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <utility>

#include "manage/nearest.h"
#include "util/mapped_file.h"

namespace pensieve::manage {
namespace {

constexpr std::size_t kMaximumBytes = 1 << 20;

class Reader {
 public:
  Reader(Schema& schema, const std::string& name) : schema_(schema), name_(name) {}

  void root(const toml::table& table) {
    for (auto&& [key, node] : table) {
      const std::string section(key.str());
      if (schema_.ignores(section)) continue;
      if (!schema_.has_section(section)) {
        add(at(key),
            fmt::format("unknown section '{}'; sections are {}{}", section,
                        fmt::join(schema_.sections(), ", "), elsewhere(section, schema_.sections())),
            section);
      } else if (const toml::table* inner = node.as_table()) {
        read_section(section, *inner);
      } else {
        add(at(key), fmt::format("'{}' is a section: write [{}] and its keys below", section, section),
            section);
      }
    }
  }

  void add(const std::string& where, const std::string& what, std::string field) {
    problems.push_back(Error{Error::Code::invalid, where + ": " + what, std::move(field), "", {}});
  }
  std::string at(std::uint32_t line) const { return fmt::format("{}:{}", name_, line); }

  std::vector<Error> problems;

 private:
  std::string at(const toml::key& key) const { return at(key.source().begin.line); }

  // A key written outside of its section is the usual slip: tell where it belongs.
  std::string elsewhere(const std::string& word, const std::vector<std::string>& known) const {
    for (const Setting& setting : schema_.settings()) {
      if (setting.key == word) return fmt::format("; '{}' belongs into [{}]", word, setting.section);
    }
    return did_you_mean(word, known);
  }

  void read_section(const std::string& section, const toml::table& table) {
    for (auto&& [key, node] : table) {
      const std::string word(key.str());
      Setting* setting = schema_.find(section, word);
      if (setting == nullptr) {
        const std::vector<std::string> keys = schema_.keys(section);
        add(at(key),
            fmt::format("unknown key '{}' in [{}]{}; keys are {}", word, section, elsewhere(word, keys),
                        fmt::join(keys, ", ")),
            section + "." + word);
        continue;
      }
      read_value(*setting, node, at(key));
    }
  }

  void read_value(Setting& setting, const toml::node& node, const std::string& where) {
    SettingValue value;
    if (const auto* flag = node.as_boolean()) {
      value = flag->get();
    } else if (const auto* integer = node.as_integer()) {
      value = integer->get();
    } else if (const auto* real = node.as_floating_point()) {
      value = real->get();
    } else if (const auto* text = node.as_string()) {
      if (std::holds_alternative<std::vector<std::string>*>(setting.target)) {
        value = std::vector<std::string>{text->get()};
      } else {
        value = text->get();
      }
    } else if (const toml::array* list = node.as_array();
               list != nullptr && list->is_homogeneous(toml::node_type::string)) {
      std::vector<std::string> texts;
      for (const toml::node& item : *list) texts.push_back(item.as_string()->get());
      value = std::move(texts);
    } else if (const toml::array* empty = node.as_array(); empty != nullptr && empty->empty()) {
      value = std::vector<std::string>{};
    } else {
      add(where,
          fmt::format("{} cannot be a {}; expected {}", setting.name(), kind_name(node.type()),
                      setting.kind()),
          setting.name());
      return;
    }
    if (Result<> assigned = Schema::assign(setting, std::move(value), Source::file, where); !assigned) {
      problems.push_back(std::move(assigned.error()));
    }
  }

  static std::string_view kind_name(toml::node_type type) {
    switch (type) {
      case toml::node_type::table:
        return "table";
      case toml::node_type::array:
        return "mixed list";
      case toml::node_type::date:
      case toml::node_type::time:
      case toml::node_type::date_time:
        return "date";
      default:
        return "value of this kind";
    }
  }

  Schema& schema_;
  const std::string& name_;
};

}  // namespace

std::vector<Error> apply_toml(Schema& schema, std::string_view text, const std::string& name) {
  Reader reader(schema, name);
  try {
    reader.root(toml::parse(text, std::string_view(name)));
  } catch (const toml::parse_error& problem) {
    reader.add(reader.at(problem.source().begin.line),
               fmt::format("not valid TOML: {}", problem.description()), "");
  } catch (const std::exception& problem) {
    reader.add(name, fmt::format("cannot be read as TOML: {}", problem.what()), "");
  }
  return std::move(reader.problems);
}

std::vector<Error> apply_file(Schema& schema, const std::string& path) {
  const Result<util::MappedFile> file = util::MappedFile::open(path);
  if (!file) return {file.error()};
  const std::span<const std::byte> bytes = file->bytes();
  if (bytes.size() > kMaximumBytes) {
    return {Error{Error::Code::invalid,
                  fmt::format("{}: {} bytes are too many for a configuration file (limit {})", path,
                              bytes.size(), kMaximumBytes),
                  "",
                  "",
                  {}}};
  }
  return apply_toml(schema, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace pensieve::manage
