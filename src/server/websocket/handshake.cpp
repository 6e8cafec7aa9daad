// See handshake.h.
#include "server/websocket/handshake.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "server/dialects/errors.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3
constexpr std::size_t kKeyLetters = 24;                                     // base64 of 16 bytes

// Whether a comma-separated header, given once or several times, holds `token` in any case.
bool has_token(const Request& request, std::string_view name, std::string_view token) {
  for (const Header& field : request.headers) {
    if (field.name != name) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      std::string_view entry = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      while (!entry.empty() && (entry.front() == ' ' || entry.front() == '\t')) entry.remove_prefix(1);
      while (!entry.empty() && (entry.back() == ' ' || entry.back() == '\t')) entry.remove_suffix(1);
      const bool same =
          std::equal(entry.begin(), entry.end(), token.begin(), token.end(), [](char given, char wanted) {
            return (given >= 'A' && given <= 'Z' ? given - 'A' + 'a' : given) == wanted;
          });
      if (same) return true;
    }
  }
  return false;
}

bool is_key(std::string_view key) {
  if (key.size() != kKeyLetters || !key.ends_with("==")) return false;
  return std::all_of(key.begin(), key.end() - 2, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  });
}

}  // namespace

Result<std::string> accept_handshake(const Request& request) {
  if (!has_token(request, "upgrade", "websocket") || !has_token(request, "connection", "upgrade")) {
    return fail(Error::Code::invalid,
                "this address speaks WebSocket only: connect with a WebSocket client (ws://…), not with a "
                "plain request",
                {}, "websocket_needed");
  }
  if (request.header("sec-websocket-version") != "13") {
    return fail(Error::Code::invalid,
                "sec-websocket-version must be 13, not '" +
                    std::string(request.header("sec-websocket-version").substr(0, 20)) +
                    "' (WebSocket, RFC 6455)",
                "sec-websocket-version", "websocket_needed");
  }
  const std::string_view key = request.header("sec-websocket-key");
  if (!is_key(key)) {
    return fail(Error::Code::invalid, "sec-websocket-key must be 16 bytes in base64 (WebSocket, RFC 6455)",
                "sec-websocket-key", "websocket_needed");
  }
  const std::string text = std::string(key) + std::string(kGuid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  std::array<unsigned char, 4 * ((SHA_DIGEST_LENGTH + 2) / 3) + 1> letters{};
  const int count = EVP_EncodeBlock(letters.data(), digest.data(), SHA_DIGEST_LENGTH);
  return std::string(reinterpret_cast<const char*>(letters.data()), static_cast<std::size_t>(count));
}

void refuse_plain_request(Exchange& exchange, const Error& error) {
  reply_status(exchange, 426, error, {{"upgrade", "websocket"}, {"sec-websocket-version", "13"}});
}

}  // namespace pensieve::server
