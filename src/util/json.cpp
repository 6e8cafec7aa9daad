// The strict JSON reader over nlohmann's SAX parser, which is iterative; depth, count and duplicates are
// checked here.
#include "util/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "util/unicode.h"

namespace pensieve::util {
namespace {

// Builds the tree. Members are appended to the object's vector directly: ordered_json's own insertion
// searches linearly and would make an object of n members cost n^2.
class TreeBuilder final : public nlohmann::json_sax<Json> {
 public:
  explicit TreeBuilder(JsonLimits limits) : limits_(limits) {}

  bool null() override { return add(Json(nullptr)) != nullptr; }
  bool boolean(bool value) override { return add(Json(value)) != nullptr; }
  bool number_integer(number_integer_t value) override { return add(Json(value)) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return add(Json(value)) != nullptr; }
  bool number_float(number_float_t value, const string_t&) override { return add(Json(value)) != nullptr; }
  bool string(string_t& value) override { return add(Json(std::move(value))) != nullptr; }
  bool binary(binary_t&) override { return refuse("binary values are not JSON"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }

  bool end_object() override {
    const auto& members = stack_.back()->get_ref<const Json::object_t&>();
    std::vector<std::string_view> keys;
    keys.reserve(members.size());
    for (const auto& member : members) keys.push_back(member.first);
    std::sort(keys.begin(), keys.end());
    const auto twin = std::adjacent_find(keys.begin(), keys.end());
    if (twin != keys.end()) {
      return refuse(
          fmt::format("the key \"{}\" stands twice in one object", repair_utf8(twin->substr(0, 80))));
    }
    return close();
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) override {
    // Messages start with "[json.exception.parse_error.101] parse error at line 1, column 5: "; the tag is
    // noise.
    const std::string_view text = error.what();
    const std::size_t end = text.find("] ");
    return refuse(std::string(end == std::string_view::npos ? text : text.substr(end + 2)));
  }

  Json root;
  std::string problem;

 private:
  bool refuse(std::string what) {
    if (problem.empty()) problem = std::move(what);
    return false;
  }

  Json* add(Json value) {
    if (++count_ > limits_.values) {
      refuse(fmt::format("more than {} values", limits_.values));
      return nullptr;
    }
    if (stack_.empty()) {
      root = std::move(value);
      return &root;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      auto& items = parent.get_ref<Json::array_t&>();
      items.push_back(std::move(value));
      return &items.back();
    }
    auto& members = static_cast<std::vector<Json::object_t::value_type>&>(parent.get_ref<Json::object_t&>());
    members.emplace_back(std::move(key_), std::move(value));
    return &members.back().second;
  }

  bool open(Json container) {
    if (stack_.size() >= limits_.depth)
      return refuse(fmt::format("nested deeper than {} levels", limits_.depth));
    Json* added = add(std::move(container));
    if (added == nullptr) return false;
    stack_.push_back(added);
    return true;
  }

  bool close() {
    stack_.pop_back();
    return true;
  }

  JsonLimits limits_;
  std::size_t count_ = 0;
  std::string key_;
  // Pointers stay valid: a container grows only while it is the innermost open one, and then none of its
  // children is open.
  std::vector<Json*> stack_;
};

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  // The library takes a zero byte for the end of the text and would not look at what follows it.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    return fail(Error::Code::invalid, "not valid JSON: a zero byte at byte " + std::to_string(zero), {},
                "invalid_json");
  }
  // The library skips a byte order mark; RFC 8259 allows that, and clients on some systems send one.
  TreeBuilder builder(limits);
  try {
    if (Json::sax_parse(text.begin(), text.end(), &builder)) return std::move(builder.root);
  } catch (const std::exception& problem) {
    builder.problem = problem.what();
  }
  return fail(Error::Code::invalid, "not valid JSON: " + repair_utf8(builder.problem), {}, "invalid_json");
}

void json_escape(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::size_t copied = 0;
  std::size_t at = 0;
  const auto flush = [&](std::size_t next) {
    out.append(text.substr(copied, at - copied));
    copied = next;
  };
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x80) {
      const CodePoint point = decode_utf8(text, at);
      if (!point.valid) {
        flush(at + point.size);
        append_utf8(kReplacement, out);
      }
      at += point.size;
      continue;
    }
    if (byte >= 0x20 && byte != '"' && byte != '\\') {
      ++at;
      continue;
    }
    flush(at + 1);
    ++at;
    switch (byte) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
    }
  }
  out.append(text.substr(copied));
}

std::string to_json(const Json& value) {
  return value.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace);
}

}  // namespace pensieve::util
