// A chat completion's body in OpenAI's form to a Call: checks everything that can be checked without the
// model.
#pragma once

#include <span>

#include "core/chat.h"
#include "server/dialects/generation_fields.h"

namespace pensieve::server {

Result<Call> read_chat_call(const Json& body);
// "messages" alone: roles, content as string or parts, tool calls and results, reasoning.
Result<std::vector<ChatMessage>> read_messages(const Json& body);

}  // namespace pensieve::server
