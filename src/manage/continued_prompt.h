// The prompt of an answer that has begun already: a conversation that ends in the assistant's own words and
// asks for no new turn (ChatRequest::add_generation_prompt is false) is answered by what comes after them.
// Other conversations are rendered as they are.
#pragma once

#include <functional>

#include "core/chat.h"
#include "core/reply.h"
#include "core/result.h"

namespace pensieve::manage {

using RenderChat = std::function<Result<Prompt>(const ChatRequest&)>;

// `format`: how the model marks thinking and content; null: not at all. What the answer begins with never
// becomes a control token.
Result<Prompt> render_to_answer(const ChatRequest& request, const ReplyFormat* format,
                                const RenderChat& render);

}  // namespace pensieve::manage
