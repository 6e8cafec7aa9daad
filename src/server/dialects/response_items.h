// Items of the Responses API: what a client sends as input, in the one form in which it is kept and shown
// again, and the conversation that a list of items means. Not the items of an answer: response_reply.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat.h"
#include "server/dialects/fields.h"

namespace pensieve::server {

// "input" (a text, or a list of items) to a list of items: each has its type, an id, and content in parts.
// An item_reference stays one. Errors name the place ("input[2].content[0].type").
Result<Json> read_items(const Json& input);

// Ids of the references in a list, in their order.
std::vector<std::string> referenced_ids(const Json& items);
// Puts the items in place of the references to them; `bodies` are JSON texts in the order of referenced_ids.
Result<> resolve_references(Json& items, const std::vector<std::string>& bodies);
// Refuses an item that is there twice, and the output of a call that was not made.
Result<> check_history(const Json& items);

// Which items of a list are shown, and from which end.
struct ItemPage {
  static constexpr std::int64_t kMost = 100;
  std::int64_t limit = 20;
  bool oldest_first = false;
  std::string after;  // the id of the last one seen; empty: from the beginning
};
// A page of a list in JSON text.
Result<std::string> item_list_text(const std::string& items, const ItemPage& page);

// The messages that items mean: what an assistant thought, said and called in a row is one message.
std::vector<ChatMessage> messages_of(const Json& items);

// Reasoning in a form that clients hand back unread (include: reasoning.encrypted_content). No secret: the
// text is wrapped, so that those who keep no plain reasoning can give it back.
std::string wrap_reasoning(std::string_view text);
// Nothing where another server made it.
std::optional<std::string> unwrap_reasoning(std::string_view wrapped);

}  // namespace pensieve::server
