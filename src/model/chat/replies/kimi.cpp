// Kimi K2: functions.NAME:INDEX and the arguments between call markers.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 1> kSigns{"<|tool_calls_section_begin|>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|im_end|>", "[EOS]"};
  const CallReaderFactory reader = named_json({.section_open = "<|tool_calls_section_begin|>",
                                               .open = "<|tool_call_begin|>",
                                               .name_prefix = "functions.",
                                               .id_open = "",
                                               .after_name = "<|tool_call_argument_begin|>",
                                               .fence = "",
                                               .close = "<|tool_call_end|>",
                                               .section_close = "<|tool_calls_section_end|>",
                                               .numbered = true});
  rules.calls = {{"<|tool_calls_section_begin|>", reader}, {"<|tool_call_begin|>", reader}};
  rules.inner = {"<|tool_call_argument_begin|>", "<|tool_call_end|>", "<|tool_calls_section_end|>"};
  rules.form = {"",
                "<|tool_calls_section_begin|>",
                "<|tool_call_begin|>functions.",
                ":0<|tool_call_argument_begin|>",
                "<|tool_call_end|>",
                "",
                "<|tool_calls_section_end|>"};
}

}  // namespace

extern const ReplyFamily replies_kimi;
const ReplyFamily replies_kimi{"kimi", kSigns, fill};

}  // namespace pensieve::model::reply
