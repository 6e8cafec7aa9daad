// Tools of a Messages body: those with a schema, those that Anthropic defines and the client runs (bash, text
// editor, memory), and the choice among them. Tools that run on Anthropic's servers do not exist here: they
// are left out and told of.
#pragma once

#include <string>
#include <vector>

#include "core/chat.h"
#include "server/dialects/fields.h"

namespace pensieve::server {

// "tools" and "tool_choice". `left_out` gets those that the model will not hear of ("tools[2]"), up to
// sixteen.
Result<> read_messages_tools(const Json& body, ChatRequest& chat, std::vector<std::string>& left_out);

}  // namespace pensieve::server
