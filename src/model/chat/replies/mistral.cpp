// Mistral up to Nemo: [TOOL_CALLS][{"name": …, "arguments": {…}, "id": …}, …]. Not the later [ARGS] form.
#include <array>

#include "model/chat/reply/json_readers.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 1> kSigns{"[TOOL_CALLS]"};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"</s>"};
  rules.calls = {{"[TOOL_CALLS]", tagged_json({"[TOOL_CALLS]", ""})}};
  rules.form = {"", "[TOOL_CALLS][", "{\"name\": \"", "\", \"arguments\": ", "}", ", ", "]"};
}

}  // namespace

extern const ReplyFamily replies_mistral;
const ReplyFamily replies_mistral{"mistral", kSigns, fill};

}  // namespace pensieve::model::reply
