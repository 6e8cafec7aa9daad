// What Ollama's endpoints share: from a call to its reply, and names as its clients say them.
#pragma once

#include <string>

#include "server/context.h"
#include "server/dialects/ollama_request.h"
#include "server/exchange.h"
#include "server/task.h"

namespace pensieve::server {

// Replies through the exchange, once, also when `asked` is an error. `chat`: in the form of /api/chat.
Task<void> answer_ollama(Exchange& exchange, Context& context, Result<OllamaCall> asked, bool chat);

// Vectors of what was asked, cut to the dimensions asked for; keep_alive is heeded.
Task<Result<Embeddings>> embed_ollama(Exchange& exchange, Context& context, const OllamaEmbedding& asked);

// Clients may add ":latest" to a name that has no tag here.
std::string ollama_model_name(const Context& context, std::string name);

}  // namespace pensieve::server
