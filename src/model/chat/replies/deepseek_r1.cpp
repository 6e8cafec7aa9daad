// DeepSeek R1 and V3: the name on its own line, the arguments in a json fence. Not V3.1.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 3> kSigns{"<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>",
                                                 "```json"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<｜end▁of▁sentence｜>"};
  const CallReaderFactory reader = named_json({.section_open = "<｜tool▁calls▁begin｜>",
                                               .open = "<｜tool▁call▁begin｜>",
                                               .name_prefix = "function<｜tool▁sep｜>",
                                               .id_open = "",
                                               .after_name = "\n",
                                               .fence = "```json",
                                               .close = "<｜tool▁call▁end｜>",
                                               .section_close = "<｜tool▁calls▁end｜>"});
  rules.calls = {{"<｜tool▁calls▁begin｜>", reader}, {"<｜tool▁call▁begin｜>", reader}};
  rules.inner = {"<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"};
  rules.form = {"",
                "<｜tool▁calls▁begin｜>",
                "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
                "\n```json\n",
                "\n```<｜tool▁call▁end｜>",
                "\n",
                "<｜tool▁calls▁end｜>"};
}

}  // namespace

extern const ReplyFamily replies_deepseek_r1;
const ReplyFamily replies_deepseek_r1{"deepseek_r1", kSigns, fill};

}  // namespace pensieve::model::reply
