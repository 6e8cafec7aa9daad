// Nemotron Nano 2: <TOOLCALL>[{"name": …, "arguments": {…}}]</TOOLCALL>.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 1> kSigns{"<TOOLCALL>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<SPECIAL_12>"};
  rules.calls = {{"<TOOLCALL>", tagged_json({"<TOOLCALL>", "</TOOLCALL>"})}};
  rules.inner = {"</TOOLCALL>"};
  rules.form = {"", "<TOOLCALL>[", "{\"name\": \"", "\", \"arguments\": ", "}", ", ", "]</TOOLCALL>"};
}

}  // namespace

extern const ReplyFamily replies_nemotron2;
const ReplyFamily replies_nemotron2{"nemotron2", kSigns, fill};

}  // namespace pensieve::model::reply
