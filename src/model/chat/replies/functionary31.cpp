// Functionary 3.1: <function=NAME>{…}</function>; Python code after <|python_tag|>. Not 3.2.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/python_calls.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 2> kSigns{"<function=", "<|python_tag|>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|eom_id|>", "<|eot_id|>", "<|end_of_text|>"};
  rules.calls = {{"<function=", named_json({.section_open = "",
                                            .open = "<function=",
                                            .name_prefix = "",
                                            .id_open = "",
                                            .after_name = ">",
                                            .fence = "",
                                            .close = "</function>",
                                            .section_close = ""})},
                 {"<|python_tag|>", python_tag("<|python_tag|>")}};
  rules.form = {"", "", "<function=", ">", "</function>", "", ""};
}

}  // namespace

extern const ReplyFamily replies_functionary31;
const ReplyFamily replies_functionary31{"functionary31", kSigns, fill};

}  // namespace pensieve::model::reply
