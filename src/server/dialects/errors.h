// Errors as OpenAI's API shows them, and the one table from Error::Code to HTTP status.
#pragma once

#include <string>
#include <string_view>

#include "core/result.h"
#include "server/exchange.h"

namespace pensieve::server {

// A request to Ollama's API: its errors are {"error":TEXT}.
bool speaks_ollama(const Request& request);

int http_status(const Error& error);
std::string_view error_type(int status);  // OpenAI's word for a status
// {"error":{"message","type","param","code", …numbers}}: all four always present.
std::string error_body(int status, const Error& error);
// As the reply, or as the last event of a stream that has begun. Silent when the client has left.
void reply_error(Exchange& exchange, const Error& error);
// With a status of its own, for what the transport refuses.
void reply_status(Exchange& exchange, int status, const Error& error, std::vector<Header> headers = {});

}  // namespace pensieve::server
