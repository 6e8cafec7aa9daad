// Gemma 4: <|tool_call>call:NAME{…}<tool_call|>; thinking stands in a channel.
#include <array>

#include "model/chat/reply/gemma4_reader.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 1> kSigns{"<|tool_call>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<turn|>", "<eos>", "<|tool_response>"};
  rules.calls = {{"<|tool_call>", gemma4_calls()}};
  rules.inner = {"<tool_call|>", "<|\"|>"};
}

}  // namespace

extern const ReplyFamily replies_gemma4;
const ReplyFamily replies_gemma4{"gemma4", kSigns, fill};

}  // namespace pensieve::model::reply
