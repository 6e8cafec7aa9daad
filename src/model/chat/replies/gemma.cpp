// Gemma 1 to 3, which have no format of their own: JSON as the whole reply, or Python in a tool_code fence.
#include <array>

#include "model/chat/reply/python_calls.h"
#include "model/chat/reply/reply_rules.h"
#include "model/chat/reply/whole_json_reader.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 1> kSigns{"<start_of_turn>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<end_of_turn>", "<eos>"};
  rules.calls = {{"```tool_code", python_block("```tool_code", "```")}};
  rules.whole = whole_json(false);
}

}  // namespace

extern const ReplyFamily replies_gemma;
const ReplyFamily replies_gemma{"gemma", kSigns, fill};

}  // namespace pensieve::model::reply
