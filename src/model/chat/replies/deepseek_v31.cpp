// DeepSeek V3.1: NAME<｜tool▁sep｜>{…} between call markers. Not R1 and V3, which fence the arguments.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 2> kSigns{"<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<｜end▁of▁sentence｜>"};
  const CallReaderFactory reader = named_json({.section_open = "<｜tool▁calls▁begin｜>",
                                               .open = "<｜tool▁call▁begin｜>",
                                               .name_prefix = "",
                                               .id_open = "",
                                               .after_name = "<｜tool▁sep｜>",
                                               .fence = "",
                                               .close = "<｜tool▁call▁end｜>",
                                               .section_close = "<｜tool▁calls▁end｜>"});
  rules.calls = {{"<｜tool▁calls▁begin｜>", reader}, {"<｜tool▁call▁begin｜>", reader}};
  rules.inner = {"<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<｜tool▁calls▁end｜>"};
  rules.form = {
      "", "<｜tool▁calls▁begin｜>", "<｜tool▁call▁begin｜>", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>",
      "", "<｜tool▁calls▁end｜>"};
}

}  // namespace

extern const ReplyFamily replies_deepseek_v31;
const ReplyFamily replies_deepseek_v31{"deepseek_v31", kSigns, fill};

}  // namespace pensieve::model::reply
