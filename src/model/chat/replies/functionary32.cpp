// Functionary 3.2: parts that begin with >>>RECIPIENT and a newline; the recipient is `all` or a tool. The
// prompt ends in the first >>>. Not 3.1.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 3> kSigns{">>>", "<|start_header_id|>", "all"};

void fill(ReplyRules& rules, const OfferedTools& tools) {
  rules.ends = {"<|eot_id|>", "<|end_of_text|>"};
  rules.frames = {{">>>all\n", ""}};
  rules.frames_anywhere = true;
  for (const std::string& name : tools.names()) {
    std::string opening = ">>>";
    opening.append(name).append("\n");
    rules.calls.push_back({opening, named_json({.section_open = "",
                                                .open = ">>>",
                                                .name_prefix = "",
                                                .id_open = "",
                                                .after_name = "\n",
                                                .fence = "",
                                                .close = "",
                                                .section_close = ""})});
  }
  rules.unwritten = ">>>";
  rules.form = {"all\n", "", "", "\n", "", "", ""};
}

}  // namespace

extern const ReplyFamily replies_functionary32;
const ReplyFamily replies_functionary32{"functionary32", kSigns, fill};

}  // namespace pensieve::model::reply
