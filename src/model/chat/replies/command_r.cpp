// Command R7B: <|START_ACTION|>[{"tool_call_id": …, "tool_name": …, "parameters": {…}}]<|END_ACTION|>; the
// answer stands between response markers. Citations stay in the text.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 1> kSigns{"<|START_ACTION|>"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|END_OF_TURN_TOKEN|>"};
  rules.frames = {{"<|START_RESPONSE|>", "<|END_RESPONSE|>"}};
  rules.frames_anywhere = true;
  rules.calls = {{"<|START_ACTION|>", tagged_json({"<|START_ACTION|>", "<|END_ACTION|>"})}};
  rules.inner = {"<|END_ACTION|>"};
  rules.form = {"<|START_RESPONSE|>",
                "<|START_ACTION|>[\n    ",
                "{\"tool_call_id\": \"0\", \"tool_name\": \"",
                "\", \"parameters\": ",
                "}",
                "",
                "\n]<|END_ACTION|>"};
}

}  // namespace

extern const ReplyFamily replies_command_r;
const ReplyFamily replies_command_r{"command_r", kSigns, fill};

}  // namespace pensieve::model::reply
