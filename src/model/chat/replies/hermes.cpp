// Hermes, Qwen 2.5 to 3, QwQ, SmolLM 3, Granite 4: <tool_call>{"name": …, "arguments": {…}}</tool_call>.
// Not Qwen3-Coder, which writes parameters as elements.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 1> kSigns{"<tool_call>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>"};
  rules.calls = {{"<tool_call>", tagged_json({"<tool_call>", "</tool_call>"})}};
  rules.inner = {"</tool_call>"};
  rules.form = {"", "", "<tool_call>\n{\"name\": \"", "\", \"arguments\": ", "}\n</tool_call>", "\n", ""};
}

}  // namespace

extern const ReplyFamily replies_hermes;
const ReplyFamily replies_hermes{"hermes", kSigns, fill};

}  // namespace pensieve::model::reply
