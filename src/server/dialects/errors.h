// Errors in the shape of the API that was called, and the one table from Error::Code to HTTP status.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "server/exchange.h"

namespace pensieve::server {

// A request to Ollama's API: its errors are {"error":TEXT}.
bool speaks_ollama(const Request& request);
// A request to Anthropic's Messages API, or by one of its clients (they name a version): its errors are
// {"type":"error","error":{"type","message"},"request_id"}.
bool speaks_anthropic(const Request& request);

int http_status(const Error& error);
std::string_view error_type(int status);  // OpenAI's word for a status
// {"error":{"message","type","param","code", …numbers}}: all four always present.
std::string error_body(int status, const Error& error);
// As the reply, or as the last event of a stream that has begun. Silent when the client has left.
void reply_error(Exchange& exchange, const Error& error);
// With a status of its own, for what the transport refuses.
void reply_status(Exchange& exchange, int status, const Error& error, std::vector<Header> headers = {});

}  // namespace pensieve::server
