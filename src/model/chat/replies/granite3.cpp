// Granite 3: <|tool_call|> and a list of objects; the answer may stand in <response> tags.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 2> kSigns{"<|tool_call|>", "<|start_of_role|>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|end_of_text|>"};
  rules.frames = {{"<response>", "</response>"}};
  rules.calls = {{"<|tool_call|>", tagged_json({"<|tool_call|>", ""})}};
  rules.form = {"", "<|tool_call|>[", "{\"name\": \"", "\", \"arguments\": ", "}", ", ", "]"};
}

}  // namespace

extern const ReplyFamily replies_granite3;
const ReplyFamily replies_granite3{"granite3", kSigns, fill};

}  // namespace pensieve::model::reply
