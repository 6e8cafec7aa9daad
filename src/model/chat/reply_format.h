// The ReplyFormat that belongs to a chat template: which family of models it is for shows in its text.
// Not the rendering of prompts: jinja_chat_format.h.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/reply.h"

namespace pensieve::model {

// `eos_text` ends a turn, besides the markers of the family; empty when the model has none.
std::unique_ptr<ReplyFormat> make_reply_format(std::string_view template_source, const std::string& eos_text);

}  // namespace pensieve::model
