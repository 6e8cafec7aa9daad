// Access rules that need no endpoint: whose Host and Origin are accepted, and whether a key is right. Pure
// functions over strings; the connection asks them before it reads a body.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace pensieve::server {

// Keys are kept and compared as SHA-256 digests, all of them each time, so that the time taken tells nothing.
// Thread rule: any thread.
class KeyRing {
 public:
  explicit KeyRing(const std::vector<std::string>& keys);
  void replace(const std::vector<std::string>& keys);  // for requests that come from now on
  bool open() const { return digests()->empty(); }     // no key is wanted
  bool accepts(std::string_view key) const;
  // Whose sessions, responses and streams a request with this key sees; empty when no key is wanted: then
  // what a client sends proves nothing, and all are one.
  std::string owner(std::string_view key) const;

 private:
  using Digests = std::vector<std::array<unsigned char, 32>>;
  std::shared_ptr<const Digests> digests() const;
  mutable std::mutex mutex_;
  std::shared_ptr<const Digests> digests_;  // guarded by mutex_
};

// The key of a request, from the values of its headers authorization and x-api-key; empty when there is none.
std::string_view presented_key(std::string_view authorization, std::string_view x_api_key);
// Tells keys apart without keeping them.
std::string key_fingerprint(std::string_view key);

// Names under which this server may be called: guards against DNS rebinding, where a web site points its own
// name here. Thread rule: any thread.
class HostNames {
 public:
  // `bound`: the address that is listened on; a wildcard accepts every IP literal (a rebinding attack needs a
  // name) and this machine's own name.
  HostNames(std::string bound, const std::vector<std::string>& allowed);
  void allow(const std::vector<std::string>& names);  // instead of those allowed so far
  // `authority` is a Host header's value: name or address, with or without port.
  bool accepts_host(std::string_view authority) const;
  // An Origin header: pages of this machine, this server's own pages (same authority as `host`), and allowed
  // names.
  bool accepts_origin(std::string_view origin, std::string_view host) const;

 private:
  bool accepts_name(const std::string& name) const;
  bool allows(const std::string& name) const;
  std::string bound_;
  bool wildcard_;
  std::string machine_;
  mutable std::mutex mutex_;
  std::vector<std::string> allowed_;  // guarded by mutex_
};

bool is_loopback_name(std::string_view name);  // localhost, *.localhost, 127.x.y.z, ::1

}  // namespace pensieve::server
