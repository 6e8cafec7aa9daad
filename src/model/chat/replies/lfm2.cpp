// LFM2: <|tool_call_start|>[name(key="value"), …]<|tool_call_end|>.
#include <array>

#include "model/chat/reply/python_calls.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 1> kSigns{"<|tool_list_start|>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|im_end|>", "<|endoftext|>"};
  rules.calls = {{"<|tool_call_start|>", python_list("<|tool_call_start|>", "<|tool_call_end|>")}};
  rules.inner = {"<|tool_call_end|>"};
}

}  // namespace

extern const ReplyFamily replies_lfm2;
const ReplyFamily replies_lfm2{"lfm2", kSigns, fill};

}  // namespace pensieve::model::reply
