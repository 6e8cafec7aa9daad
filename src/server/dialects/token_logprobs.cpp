// See token_logprobs.h.
#include "server/dialects/token_logprobs.h"

#include "server/dialects/reply_parts.h"

namespace pensieve::server {
namespace {

void append_bytes(std::string_view bytes, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(static_cast<unsigned char>(bytes[i]));
  }
  out += ']';
}

// {"token":…,"logprob":…,"bytes":[…] without the closing brace.
void append_token(std::string_view bytes, float logprob, std::string& out) {
  out += "{\"token\":";
  append_string(bytes, out);
  out += ",\"logprob\":";
  append_logprob(logprob, out);
  out += ",\"bytes\":";
  append_bytes(bytes, out);
}

}  // namespace

void append_logprobs(const std::vector<TokenLogprob>& tokens, std::string& out) {
  for (const TokenLogprob& entry : tokens) {
    if (!out.empty()) out += ',';
    append_token(entry.bytes, entry.logprob, out);
    out += ",\"top_logprobs\":[";
    for (std::size_t i = 0; i < entry.top.size(); ++i) {
      if (i > 0) out += ',';
      append_token(entry.top[i].bytes, entry.top[i].logprob, out);
      out += '}';
    }
    out += "]}";
  }
}

}  // namespace pensieve::server
