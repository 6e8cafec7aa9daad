// The opening handshake (RFC 6455, section 4.2): from an HTTP request to the answer that turns its connection
// into a WebSocket. Who may ask is checked before, as for every request (access.h).
#pragma once

#include <string>

#include "core/result.h"
#include "server/exchange.h"

namespace pensieve::server {

// The value of sec-websocket-accept; an error says what the request lacks.
Result<std::string> accept_handshake(const Request& request);
// The answer to a request that is none: 426 with what to do.
void refuse_plain_request(Exchange& exchange, const Error& error);

}  // namespace pensieve::server
