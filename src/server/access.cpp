// Host, Origin and key checks.
#include "server/access.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

namespace pensieve::server {
namespace {

std::array<unsigned char, 32> digest(std::string_view text) {
  std::array<unsigned char, 32> out{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

bool is_ip_literal(const std::string& name) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, name.c_str(), bytes) == 1 || inet_pton(AF_INET6, name.c_str(), bytes) == 1;
}

// "name:80" or "[::1]:80" to the name alone, in lower case; nothing when malformed.
std::optional<std::string> host_of(std::string_view authority) {
  std::string_view name = authority;
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    name = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
    name = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (!port.empty() && (port.front() != ':' || port.size() > 6)) return std::nullopt;
  for (const char c : port.substr(port.empty() ? 0 : 1)) {
    if (c < '0' || c > '9') return std::nullopt;
  }
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty()) return std::nullopt;
  return lower(name);
}

}  // namespace

KeyRing::KeyRing(const std::vector<std::string>& keys) {
  replace(keys);
}

void KeyRing::replace(const std::vector<std::string>& keys) {
  auto digests = std::make_shared<Digests>();
  for (const std::string& key : keys) {
    if (!key.empty()) digests->push_back(digest(key));
  }
  const std::lock_guard lock(mutex_);
  digests_ = std::move(digests);
}

std::shared_ptr<const KeyRing::Digests> KeyRing::digests() const {
  const std::lock_guard lock(mutex_);
  return digests_;
}

bool KeyRing::accepts(std::string_view key) const {
  const auto given = digest(key);
  const std::shared_ptr<const Digests> known = digests();
  int equal = 0;
  for (const auto& one : *known) equal |= CRYPTO_memcmp(one.data(), given.data(), given.size()) == 0 ? 1 : 0;
  return equal != 0 || known->empty();
}

std::string_view presented_key(std::string_view authorization, std::string_view x_api_key) {
  constexpr std::string_view kBearer = "bearer ";
  const bool bearer = authorization.size() > kBearer.size() &&
                      std::equal(kBearer.begin(), kBearer.end(), authorization.begin(),
                                 [](char wanted, char given) { return wanted == (given | 0x20); });
  return bearer ? authorization.substr(kBearer.size()) : x_api_key;
}

std::string key_fingerprint(std::string_view key) {
  const auto bytes = digest(key);
  return std::string(bytes.begin(), bytes.end());
}

std::string KeyRing::owner(std::string_view key) const {
  return open() ? std::string() : key_fingerprint(key);
}

bool is_loopback_name(std::string_view name) {
  const std::string text = lower(name);
  if (text == "localhost" || text.ends_with(".localhost") || text == "::1") return true;
  unsigned char bytes[4];
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 && bytes[0] == 127;
}

HostNames::HostNames(std::string bound, const std::vector<std::string>& allowed) : bound_(lower(bound)) {
  wildcard_ = bound_ == "0.0.0.0" || bound_ == "::";
  char name[256] = {};
  if (wildcard_ && gethostname(name, sizeof(name) - 1) == 0) machine_ = lower(name);
  allow(allowed);
}

void HostNames::allow(const std::vector<std::string>& names) {
  std::vector<std::string> lowered;
  for (const std::string& name : names) lowered.push_back(lower(name));
  const std::lock_guard lock(mutex_);
  allowed_.swap(lowered);
}

bool HostNames::allows(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return std::find(allowed_.begin(), allowed_.end(), name) != allowed_.end();
}

bool HostNames::accepts_name(const std::string& name) const {
  if (is_loopback_name(name) || name == bound_) return true;
  if (wildcard_ && (is_ip_literal(name) || name == machine_)) return true;
  return allows(name);
}

bool HostNames::accepts_host(std::string_view authority) const {
  const auto name = host_of(authority);
  return name && accepts_name(*name);
}

bool HostNames::accepts_origin(std::string_view origin, std::string_view host) const {
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view authority = origin.substr(scheme + 3);
  const auto name = host_of(authority);
  if (!name) return false;
  if (is_loopback_name(*name) || lower(authority) == lower(host)) return true;
  return allows(*name);
}

}  // namespace pensieve::server
