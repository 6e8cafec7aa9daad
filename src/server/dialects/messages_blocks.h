// The conversation of a Messages body: content blocks to core messages. Nothing is dropped: what cannot be
// taken is refused by name.
#pragma once

#include <string>
#include <vector>

#include "core/chat.h"
#include "server/dialects/fields.h"

namespace pensieve::server {

// "system" and "messages".
Result<std::vector<ChatMessage>> read_conversation(const Json& body);
// The mark that may stand at the body, at blocks and at tools. Whatever can be cached is cached without it,
// so it changes nothing; a malformed one is a mistake all the same. `where`: "" or "tools[2].".
Result<> check_cache_control(const Json& holder, const std::string& where);

}  // namespace pensieve::server
