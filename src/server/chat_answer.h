// A chat completion from its call to its reply, for every endpoint that gives one: alone, or as a turn of a
// session.
#pragma once

#include <string>

#include "server/context.h"
#include "server/dialects/generation_fields.h"
#include "server/exchange.h"
#include "server/task.h"

namespace pensieve::server {

// Replies through the exchange, once, also when `call` is an error. Where the call names a session, its
// messages are the new ones: question and answer are kept when the answer is complete, and nothing is kept of
// a turn that fails or whose client leaves.
Task<void> answer_chat(Exchange& exchange, Context& context, Result<Call> call);

}  // namespace pensieve::server
