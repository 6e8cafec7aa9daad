// A body of Anthropic's Messages API to a Call: system, content blocks, tools and thinking become the
// conversation that every model side understands.
#pragma once

#include "server/dialects/generation_fields.h"

namespace pensieve::server {

struct MessagesCall {
  Call call;
  bool show_thinking = true;  // false: its blocks come empty
};

// `counting`: for count_tokens, where max_tokens may be missing.
Result<MessagesCall> read_messages_call(const Json& body, bool counting);

}  // namespace pensieve::server
