// Qwen3-Coder and Nemotron 3:
// <tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>; the outer tags are
// sometimes left out.
#include <array>

#include "model/chat/reply/parameter_reader.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 3> kSigns{"<tool_call>", "<function=", "<parameter="};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|im_end|>", "<|endoftext|>"};
  const CallReaderFactory reader = parameter_calls({.section_open = "<tool_call>",
                                                    .section_close = "</tool_call>",
                                                    .call_open = "<function=",
                                                    .name_end = ">",
                                                    .key_open = "<parameter=",
                                                    .key_end = ">",
                                                    .value_open = "",
                                                    .value_end = "</parameter>",
                                                    .call_close = "</function>",
                                                    .one_newline = true,
                                                    .several = false});
  rules.calls = {{"<tool_call>", reader}, {"<function=", reader}};
  rules.inner = {"</tool_call>"};
  rules.form.parameters = ParameterForm{.open = "",
                                        .before_name = "<tool_call>\n<function=",
                                        .after_name = ">\n",
                                        .key_open = "<parameter=",
                                        .key_end = ">\n",
                                        .value_open = "",
                                        .value_end = "\n</parameter>\n",
                                        .after_arguments = "</function>\n</tool_call>",
                                        .between = "\n",
                                        .close = ""};
}

}  // namespace

extern const ReplyFamily replies_qwen3_coder;
const ReplyFamily replies_qwen3_coder{"qwen3_coder", kSigns, fill};

}  // namespace pensieve::model::reply
