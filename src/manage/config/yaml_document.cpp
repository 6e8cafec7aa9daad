// YAML through the events of yaml-cpp, so that nothing is built which was not asked for: its tree would
// expand aliases and merge duplicate keys in silence. Its exceptions end here.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <istream>
#include <limits>
#include <optional>
#include <streambuf>
#include <utility>

#include "manage/config/document.h"
#include "util/unicode.h"

namespace pensieve::manage {
namespace {

// What ends the parse from inside an event.
struct Refused {
  std::uint32_t line;
  std::string what;
};

std::uint32_t line_of(const YAML::Mark& mark) {
  return mark.line < 0 ? 1 : static_cast<std::uint32_t>(mark.line) + 1;
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int base = 10;
  if (!negative && text.starts_with("0x")) base = 16;
  if (!negative && text.starts_with("0o")) base = 8;
  if (base != 10) text.remove_prefix(2);
  std::uint64_t magnitude = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), magnitude, base);
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (problem != std::errc() || end != text.data() + text.size() || magnitude > kMost) return std::nullopt;
  return negative ? -static_cast<std::int64_t>(magnitude) : static_cast<std::int64_t>(magnitude);
}

std::optional<double> real_of(std::string_view text) {
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == "+.inf")
    return std::numeric_limits<double>::infinity();
  if (text == "-.inf") return -std::numeric_limits<double>::infinity();
  if (text == ".nan" || text == ".NaN" || text == ".NAN") return std::nan("");
  if (text.find_first_of("0123456789") == std::string_view::npos) return std::nullopt;
  if (text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// YAML 1.2, 10.3.2: what a scalar without quotes means.
void resolve_plain(const std::string& text, ConfigNode& node) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
    node.value = ConfigNode::Nothing{};
  } else if (text == "true" || text == "True" || text == "TRUE") {
    node.value = true;
  } else if (text == "false" || text == "False" || text == "FALSE") {
    node.value = false;
  } else if (const auto integer = integer_of(text)) {
    node.value = *integer;
  } else if (const auto real = real_of(text)) {
    node.value = *real;
  } else {
    node.value = text;
  }
}

class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(ConfigLimits limits) : limits_(limits), left_(limits.values) {}

  ConfigNode root;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0)
      throw Refused{line_of(mark), "a second document begins here; a configuration is one document"};
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    add({ConfigNode::Nothing{}, line_of(mark)}, "");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw Refused{line_of(mark), "aliases (*name) are not understood here; write the value out"};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    ConfigNode node{{}, line_of(mark)};
    const bool plain = tag == "?";
    if (plain) {
      resolve_plain(value, node);
    } else {
      check_tag(mark, tag, "!");
      node.value = value;
    }
    add(std::move(node), value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag, "?");
    open(mark, ConfigNode::List{});
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    check_tag(mark, tag, "?");
    open(mark, ConfigNode::Table{});
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    ConfigNode node;
    std::optional<ConfigMember> pending;  // of a table: the key whose value comes next
  };

  static void check_tag(const YAML::Mark& mark, const std::string& tag, std::string_view usual) {
    if (!tag.empty() && tag != usual)
      throw Refused{line_of(mark), fmt::format("the tag '{}' is not understood here; leave it out",
                                               util::repair_utf8(std::string_view(tag).substr(0, 60)))};
  }

  template <class Value>
  void open(const YAML::Mark& mark, Value value) {
    if (levels_.size() >= limits_.depth) throw Refused{line_of(mark), "nested too deeply"};
    if (!levels_.empty() && expects_key())
      throw Refused{line_of(mark), "a key must be a single word, not a list or a table"};
    levels_.push_back({{std::move(value), line_of(mark)}, std::nullopt});
  }
  void close() {
    ConfigNode done = std::move(levels_.back().node);
    levels_.pop_back();
    add(std::move(done), "");
  }
  bool expects_key() const {
    const Level& level = levels_.back();
    return std::holds_alternative<ConfigNode::Table>(level.node.value) && !level.pending;
  }

  // `text`: the scalar as written; what a key is called.
  void add(ConfigNode node, const std::string& text) {
    if (left_-- == 0) throw Refused{node.line, "too many values"};
    if (levels_.empty()) {
      root = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (auto* list = std::get_if<ConfigNode::List>(&level.node.value)) {
      list->push_back(std::move(node));
    } else if (!level.pending) {
      level.pending = key_of(level, node, text);
    } else {
      level.pending->node = std::move(node);
      std::get<ConfigNode::Table>(level.node.value).push_back(std::move(*level.pending));
      level.pending.reset();
    }
  }

  static ConfigMember key_of(const Level& level, const ConfigNode& node, const std::string& text) {
    if (text == "<<") throw Refused{node.line, "merge keys (<<) are not understood here; write the keys out"};
    for (const ConfigMember& member : std::get<ConfigNode::Table>(level.node.value)) {
      if (member.key == text)
        throw Refused{node.line,
                      fmt::format("'{}' is here a second time; line {} has it already",
                                  util::repair_utf8(std::string_view(text).substr(0, 60)), member.line)};
    }
    return {text, node.line, {}};
  }

  const ConfigLimits limits_;
  std::size_t left_;
  int documents_ = 0;
  std::vector<Level> levels_;
};

// Reads from where the text lies.
class TextBuffer final : public std::streambuf {
 public:
  explicit TextBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // never written: the buffer is only read
    setg(begin, begin, begin + text.size());
  }
};

}  // namespace

Result<ConfigNode> parse_yaml(std::string_view text, const std::string& name, ConfigLimits limits) {
  if (!util::valid_utf8(text)) {
    std::uint32_t line = 1;
    while (!text.empty()) {  // the first line that is not
      const std::size_t end = std::min(text.find('\n'), text.size());
      if (!util::valid_utf8(text.substr(0, end))) break;
      text.remove_prefix(std::min(end + 1, text.size()));
      ++line;
    }
    return tl::unexpected(config_error(name, line, "not UTF-8"));
  }
  Builder builder(limits);
  try {
    TextBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) continue;
  } catch (const Refused& refused) {
    return tl::unexpected(config_error(name, refused.line, refused.what));
  } catch (const YAML::Exception& problem) {
    return tl::unexpected(
        config_error(name, line_of(problem.mark), fmt::format("not valid YAML: {}", problem.msg)));
  } catch (const std::exception& problem) {
    return tl::unexpected(config_error(name, 1, fmt::format("cannot be read as YAML: {}", problem.what())));
  }
  if (std::holds_alternative<ConfigNode::Nothing>(builder.root.value))
    builder.root.value = ConfigNode::Table{};
  if (!std::holds_alternative<ConfigNode::Table>(builder.root.value)) {
    return tl::unexpected(
        config_error(name, builder.root.line,
                     "the file must hold sections with keys below them, as in `server:` and `  port: 7777`"));
  }
  return std::move(builder.root);
}

}  // namespace pensieve::manage
