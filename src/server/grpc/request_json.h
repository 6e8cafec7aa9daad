// Requests of pensieve.v1 as the JSON bodies that HTTP takes, so that one dialect checks both.
#pragma once

#include "server/dialects/fields.h"

namespace pensieve::v1 {
class ChatRequest;
class CompleteRequest;
}  // namespace pensieve::v1

namespace pensieve::server {

// Errors: what JSON cannot say (a number that is none), text that should be JSON and is not, a field that
// stands in extra_json as well.
Result<Json> chat_body(const v1::ChatRequest& request);
Result<Json> completion_body(const v1::CompleteRequest& request);

}  // namespace pensieve::server
