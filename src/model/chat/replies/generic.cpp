// Templates of no known family: the whole reply may be JSON calls, as the system message of tools asks for.
#include <array>

#include "model/chat/reply/reply_rules.h"
#include "model/chat/reply/whole_json_reader.h"

namespace pensieve::model::reply {
namespace {

constexpr std::array<std::string_view, 0> kSigns{};

void fill(ReplyRules& rules, const OfferedTools&) {
  rules.ends = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "</s>", "<eos>"};
  rules.whole = whole_json(false);
}

}  // namespace

extern const ReplyFamily replies_generic;
const ReplyFamily replies_generic{"generic", kSigns, fill};

}  // namespace pensieve::model::reply
