// Tools of the Responses API: a flat list, in which other kinds than functions are left out, and the choice
// among them.
#pragma once

#include "core/chat.h"
#include "server/dialects/fields.h"

namespace pensieve::server {

// "tools", "tool_choice" and "parallel_tool_calls". Adds them to `settings` as they are in force: tools that
// this server does not have (web_search and other hosted ones) are missing there.
Result<> read_response_tools(const Json& body, ChatRequest& chat, Json& settings);

}  // namespace pensieve::server
