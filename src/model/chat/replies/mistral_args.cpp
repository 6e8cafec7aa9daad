// Mistral Small 3.2, Magistral and later: [TOOL_CALLS]NAME[CALL_ID]ID[ARGS]{…}, once for each call.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 2> kSigns{"[TOOL_CALLS]", "[ARGS]"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"</s>"};
  rules.calls = {{"[TOOL_CALLS]", named_json({.section_open = "",
                                              .open = "[TOOL_CALLS]",
                                              .name_prefix = "",
                                              .id_open = "[CALL_ID]",
                                              .after_name = "[ARGS]",
                                              .fence = "",
                                              .close = "",
                                              .section_close = ""})}};
  rules.inner = {"[CALL_ID]", "[ARGS]"};
  rules.form = {"", "", "[TOOL_CALLS]", "[ARGS]", "", "", ""};
}

}  // namespace

extern const ReplyFamily replies_mistral_args;
const ReplyFamily replies_mistral_args{"mistral_args", kSigns, fill};

}  // namespace pensieve::model::reply
