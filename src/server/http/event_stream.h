// The text of server-sent events, and the chunks that carry them over HTTP/1.1. Pure functions over strings;
// when to send is the exchange's business.
#pragma once

#include <string>
#include <string_view>

namespace pensieve::server {

// WHATWG HTML, 9.2.6. An empty name gives an unnamed event; each line of `data` becomes a data line.
void append_event(std::string_view name, std::string_view data, std::string& out);
// RFC 9112, 7.1. `bytes` is not empty: an empty chunk would end the body.
void append_chunk(std::string_view bytes, std::string& out);

}  // namespace pensieve::server
