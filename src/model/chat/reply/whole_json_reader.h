// Calls without markers: the whole reply is JSON that names an offered tool. Everything is held until that is
// certain or out of question.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "model/chat/reply/call_reader.h"

namespace pensieve::model::reply {

// `semicolons`: several objects may follow one another, separated by ';' (Llama 3).
CallReaderFactory whole_json(bool semicolons);
// All of `text` as calls: an object, a list of objects, or objects separated by ';'.
std::optional<std::vector<ParsedCall>> calls_from_json(std::string_view text, bool semicolons);

}  // namespace pensieve::model::reply
