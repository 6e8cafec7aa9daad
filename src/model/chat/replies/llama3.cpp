// Llama 3.1 to 3.3: the whole reply is {"name": …, "parameters": {…}}, several separated by semicolons; after
// <|python_tag|> also TOOL.call(…) or code.
#include <array>

#include "model/chat/reply/python_calls.h"
#include "model/chat/reply/reply_rules.h"
#include "model/chat/reply/whole_json_reader.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 2> kSigns{"<|start_header_id|>", "\"parameters\""};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"};
  rules.calls = {{"<|python_tag|>", python_tag("<|python_tag|>")}};
  rules.whole = whole_json(true);
  rules.form = {"", "", "{\"name\": \"", "\", \"parameters\": ", "}", "", ""};
}

}  // namespace

extern const ReplyFamily replies_llama3;
const ReplyFamily replies_llama3{"llama3", kSigns, fill};

}  // namespace pensieve::model::reply
