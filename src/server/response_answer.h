// An answer of the Responses API from its call to its reply: what came before is joined, and what came of it
// is kept. Not a chat completion: chat_answer.h.
#pragma once

#include "server/context.h"
#include "server/dialects/response_request.h"
#include "server/exchange.h"
#include "server/task.h"

namespace pensieve::server {

// Replies through the exchange, once, also when `call` is an error.
Task<void> answer_response(Exchange& exchange, Context& context, Result<ResponseCall> call);

// Puts what `previous_response_id` and item references mean into the call and makes its conversation. A call
// without a model takes that of the previous answer.
Task<Result<>> join_history(Exchange& exchange, Context& context, ResponseCall& call);

}  // namespace pensieve::server
