// gpt-oss (harmony): messages with channels and recipients.
#include <array>

#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 3> kSigns{"<|channel|>", "<|message|>", "<|start|>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|end|>", "<|return|>", "<|call|>", "<|start|>"};
  rules.harmony = true;
  rules.inner = {"<|channel|>", "<|message|>", "<|constrain|>"};
  rules.channels = ThinkingForm{"<|channel|>analysis<|message|>", "<|end|><|start|>assistant", false};
  rules.form = {"<|channel|>final<|message|>",
                "",
                "<|channel|>commentary to=functions.",
                " <|constrain|>json<|message|>",
                "",
                "",
                ""};
  rules.form.openers = {"<|channel|>commentary to=", "<|channel|>analysis to=", " to=functions."};
}

}  // namespace

extern const ReplyFamily replies_gpt_oss;
const ReplyFamily replies_gpt_oss{"gpt_oss", kSigns, fill};

}  // namespace pensieve::model::reply
