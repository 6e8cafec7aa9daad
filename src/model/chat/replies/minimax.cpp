// MiniMax M2: <minimax:tool_call><invoke name="NAME"><parameter name="KEY">VALUE</parameter></invoke>….
#include <array>

#include "model/chat/reply/parameter_reader.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 1> kSigns{"<minimax:tool_call>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"[e~["};
  rules.calls = {{"<minimax:tool_call>", parameter_calls({.section_open = "<minimax:tool_call>",
                                                          .section_close = "</minimax:tool_call>",
                                                          .call_open = "<invoke name=\"",
                                                          .name_end = "\">",
                                                          .key_open = "<parameter name=\"",
                                                          .key_end = "\">",
                                                          .value_open = "",
                                                          .value_end = "</parameter>",
                                                          .call_close = "</invoke>",
                                                          .one_newline = false,
                                                          .several = true})}};
  rules.inner = {"</minimax:tool_call>"};
  rules.form.parameters = ParameterForm{.open = "<minimax:tool_call>\n",
                                        .before_name = "<invoke name=\"",
                                        .after_name = "\">\n",
                                        .key_open = "<parameter name=\"",
                                        .key_end = "\">",
                                        .value_open = "",
                                        .value_end = "</parameter>\n",
                                        .after_arguments = "</invoke>\n",
                                        .between = "",
                                        .close = "</minimax:tool_call>"};
}

}  // namespace

extern const ReplyFamily replies_minimax;
const ReplyFamily replies_minimax{"minimax", kSigns, fill};

}  // namespace pensieve::model::reply
