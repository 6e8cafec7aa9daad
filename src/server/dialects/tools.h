// Tools and the choice among them, as requests carry them. Shared by all dialects; the form of a list and of
// a choice in OpenAI's chat API is here too. Not the calls of a history (chat_messages.cpp).
#pragma once

#include <string>
#include <string_view>

#include "core/chat.h"
#include "server/dialects/fields.h"

namespace pensieve::server {

// {"name","description",SCHEMA_FIELD,"strict"} at `where` ("tools[2].function") to a tool.
Result<Tool> read_tool(const Json& object, const std::string& where, std::string_view schema_field);
// Appends; two tools of one name are refused.
Result<> add_tool(Tool tool, const std::string& where, ChatRequest& chat);

// "tools", "tool_choice" and "parallel_tool_calls" of a chat completion.
Result<> read_chat_tools(const Json& body, ChatRequest& chat);

// The one tool that must be called.
void choose_tool(std::string name, ToolChoice& choice);
// Once tools and choice are read: names that are chosen must be offered, and who demands a call must offer a
// tool.
Result<> check_tool_choice(const ChatRequest& chat);

}  // namespace pensieve::server
