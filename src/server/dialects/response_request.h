// A body of the Responses API to a call: checks everything that can be checked without the model and without
// what is kept of earlier answers.
#pragma once

#include <string>

#include "server/dialects/generation_fields.h"

namespace pensieve::server {

struct ResponseCall {
  Call call;   // its prompt is a ChatRequest, whose messages set_conversation makes
  Json items;  // of "input" (response_items.h); join_history resolves references and puts older items before
  std::size_t older_items = 0;  // of previous answers, at the front
  std::string previous;         // previous_response_id; empty: none
  bool store = true;
  bool must_store = false;  // the client said so: an answer that cannot be kept is a failure
  bool summary = false;     // reasoning is shown as its summary
  bool wrapped = false;     // reasoning also comes as encrypted_content
  std::string instructions;
  Json settings;  // what an answer repeats of the request
};

Result<ResponseCall> read_response_call(const Json& body);
// The conversation: instructions first, then `items`. They are no longer changed after this.
void set_conversation(ResponseCall& call);

}  // namespace pensieve::server
