// Tools for templates that know none: they are described in a system message, together with the form of a
// call that the generic reply family reads (replies/generic.cpp). Pure functions.
#pragma once

#include <vector>

#include "core/chat.h"

namespace pensieve::model {

// Whether the request offers tools that its model may see.
bool offers_tools(const ChatRequest& request);
// The conversation with the tools in its first system message, which is made when there is none.
std::vector<ChatMessage> with_tools_in_system(std::vector<ChatMessage> messages,
                                              const std::vector<Tool>& tools);
// With an empty system message in front when there is none: some templates show tools only there.
std::vector<ChatMessage> with_system(std::vector<ChatMessage> messages);

}  // namespace pensieve::model
