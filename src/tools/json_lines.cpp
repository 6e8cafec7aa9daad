// Reads and checks lines of JSON.
#include "tools/json_lines.h"

#include <fmt/format.h>

#include <istream>
#include <ostream>

namespace pensieve::tools {
namespace {

std::string excerpt(const Json& value) {
  constexpr std::size_t kShown = 60;
  const std::string text = util::to_json(value);
  return text.size() > kShown ? text.substr(0, kShown) + "…" : text;
}

tl::unexpected<Error> wrong(std::string_view key, const Json& value, std::string_view expected) {
  return fail(Error::Code::invalid, fmt::format("'{}' is {}, expected {}", key, excerpt(value), expected),
              std::string(key));
}

tl::unexpected<Error> missing(std::string_view key, std::string_view expected) {
  return fail(Error::Code::invalid, fmt::format("'{}' is missing, expected {}", key, expected),
              std::string(key));
}

const Json* present(const Json& line, std::string_view key) {
  const auto found = line.find(std::string(key));
  return found == line.end() || found->is_null() ? nullptr : &*found;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<Json> answer_line(const std::string& text, const std::function<Result<Json>(const Json&)>& answer) {
  Result<Json> line = util::parse_json(text);
  if (!line) return line;
  if (!line->is_object())
    return fail(Error::Code::invalid, fmt::format("the line is {}, expected an object", excerpt(*line)));
  return answer(*line);
}

}  // namespace

Result<> answer_lines(std::istream& in, std::ostream& out,
                      const std::function<Result<Json>(const Json& line)>& answer) {
  std::string text;
  while (std::getline(in, text)) {
    if (text.find_first_not_of(" \t\r") == std::string::npos) continue;
    Result<Json> reply = answer_line(text, answer);
    out << util::to_json(reply ? *reply : Json{{"error", reply.error().what}}) << std::endl;
    if (!out) return fail(Error::Code::io, "cannot write the answer to standard output");
  }
  return {};
}

Result<bool> flag_field(const Json& line, std::string_view key, bool otherwise) {
  const Json* value = present(line, key);
  if (value == nullptr) return otherwise;
  if (!value->is_boolean()) return wrong(key, *value, "true or false");
  return value->get<bool>();
}

Result<std::string> text_field(const Json& line, std::string_view key, std::string otherwise) {
  const Json* value = present(line, key);
  if (value == nullptr) return otherwise;
  if (!value->is_string()) return wrong(key, *value, "a string");
  return value->get<std::string>();
}

Result<std::int64_t> count_field(const Json& line, std::string_view key, std::int64_t otherwise) {
  constexpr std::int64_t kMost = 1 << 24;
  const Json* value = present(line, key);
  if (value == nullptr) return otherwise;
  if (!value->is_number_integer() || value->get<std::int64_t>() < 0 || value->get<std::int64_t>() > kMost) {
    return wrong(key, *value, fmt::format("an integer from 0 to {}", kMost));
  }
  return value->get<std::int64_t>();
}

Result<std::vector<std::int32_t>> ids_field(const Json& line, std::string_view key, std::int64_t vocabulary) {
  constexpr std::string_view kExpected = "a list of token ids";
  const Json* value = present(line, key);
  if (value == nullptr) return missing(key, kExpected);
  if (!value->is_array()) return wrong(key, *value, kExpected);
  std::vector<std::int32_t> ids;
  ids.reserve(value->size());
  for (const Json& item : *value) {
    const bool whole =
        item.is_number_integer() && (!item.is_number_unsigned() || item.get<std::uint64_t>() < (1ULL << 31));
    if (!whole || item.get<std::int64_t>() < 0 || item.get<std::int64_t>() >= vocabulary) {
      return wrong(key, item, fmt::format("token ids from 0 to {}", vocabulary - 1));
    }
    ids.push_back(item.get<std::int32_t>());
  }
  return ids;
}

Result<std::string> hex_field(const Json& line, std::string_view key) {
  constexpr std::string_view kExpected = "an even number of hexadecimal digits";
  const Json* value = present(line, key);
  if (value == nullptr) return missing(key, kExpected);
  if (!value->is_string()) return wrong(key, *value, kExpected);
  const auto& digits = value->get_ref<const std::string&>();
  if (digits.size() % 2 != 0) return wrong(key, *value, kExpected);
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = hex_digit(digits[i]), low = hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) return wrong(key, *value, kExpected);
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

}  // namespace pensieve::tools
