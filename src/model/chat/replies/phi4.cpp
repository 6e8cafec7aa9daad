// Phi-4-mini: <|tool_call|>[{"name": …, "arguments": {…}}]<|/tool_call|>.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 3> kSigns{"<|tool_call|>", "<|/tool_call|>", "<|end|>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|end|>", "<|endoftext|>"};
  rules.calls = {{"<|tool_call|>", tagged_json({"<|tool_call|>", "<|/tool_call|>"})}};
  rules.inner = {"<|/tool_call|>"};
  rules.form = {"", "<|tool_call|>[", "{\"name\": \"", "\", \"arguments\": ", "}", ", ", "]<|/tool_call|>"};
}

}  // namespace

extern const ReplyFamily replies_phi4;
const ReplyFamily replies_phi4{"phi4", kSigns, fill};

}  // namespace pensieve::model::reply
