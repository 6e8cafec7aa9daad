// GLM 4.5 and later: <tool_call>NAME<arg_key>K</arg_key><arg_value>V</arg_value></tool_call>. Not GLM 4.
#include <array>

#include "model/chat/reply/parameter_reader.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 2> kSigns{"<tool_call>", "<arg_key>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|user|>", "<|observation|>", "<|endoftext|>"};
  rules.calls = {{"<tool_call>", parameter_calls({.section_open = "",
                                                  .section_close = "",
                                                  .call_open = "<tool_call>",
                                                  .name_end = "",
                                                  .key_open = "<arg_key>",
                                                  .key_end = "</arg_key>",
                                                  .value_open = "<arg_value>",
                                                  .value_end = "</arg_value>",
                                                  .call_close = "</tool_call>",
                                                  .one_newline = false,
                                                  .several = false})}};
  rules.inner = {"</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"};
  rules.form.parameters = ParameterForm{.open = "",
                                        .before_name = "<tool_call>",
                                        .after_name = "\n",
                                        .key_open = "<arg_key>",
                                        .key_end = "</arg_key>\n",
                                        .value_open = "<arg_value>",
                                        .value_end = "</arg_value>\n",
                                        .after_arguments = "</tool_call>",
                                        .between = "\n",
                                        .close = ""};
}

}  // namespace

extern const ReplyFamily replies_glm;
const ReplyFamily replies_glm{"glm", kSigns, fill};

}  // namespace pensieve::model::reply
