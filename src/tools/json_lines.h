// JSON lines: one object in, one object out, for the verbs that scripts drive.
// A line that cannot be handled is answered {"error": …} and the next one follows.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "util/json.h"

namespace pensieve::tools {

using util::Json;

// Blank lines are passed over. Each answer is flushed, so that a program can hold a conversation over pipes.
// An error when an answer could not be written; reading stops there.
Result<> answer_lines(std::istream& in, std::ostream& out,
                      const std::function<Result<Json>(const Json& line)>& answer);

// Fields of a line; an absent or null field is the given default. Errors name field, value and what is
// expected.
Result<bool> flag_field(const Json& line, std::string_view key, bool otherwise);
Result<std::string> text_field(const Json& line, std::string_view key, std::string otherwise);
Result<std::int64_t> count_field(const Json& line, std::string_view key, std::int64_t otherwise);
// Required: token ids, each within [0, vocabulary).
Result<std::vector<std::int32_t>> ids_field(const Json& line, std::string_view key, std::int64_t vocabulary);
// Required: bytes written as hexadecimal digits.
Result<std::string> hex_field(const Json& line, std::string_view key);

}  // namespace pensieve::tools
