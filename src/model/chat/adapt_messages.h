// Adaptation of conversations to what a chat template accepts. Clients send roles in any order; many
// templates want system, user, assistant, user, assistant and refuse the rest. Nothing that was said is
// dropped. Pure functions: which adaptation is needed is found by trying (jinja_chat_format.cpp).
#pragma once

#include <span>
#include <vector>

#include "core/chat.h"

namespace pensieve::model {

// What is changed; each step of adaptations() changes more.
struct Adaptation {
  bool null_as_empty = false;  // content null becomes ""
  bool alternate =
      false;  // neighbours of one role become one message; a user message precedes the first reply
  bool move_late_system = false;  // a system message that is not at the start goes into the next user message
  bool tools_as_text = false;     // tool results become user messages, tool calls part of the reply's text
  bool move_system = false;       // so does one at the start
};

// From the gentlest to the strongest.
std::span<const Adaptation> adaptations();

// `developer` is another name of `system`.
std::vector<ChatMessage> with_known_roles(std::vector<ChatMessage> messages);

std::vector<ChatMessage> adapt_messages(const std::vector<ChatMessage>& messages,
                                        const Adaptation& adaptation);

}  // namespace pensieve::model
