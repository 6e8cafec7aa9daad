// One connection a request, read to its end: the server is asked to close it.
#include "tools/server_client.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

namespace pensieve::tools {
namespace {

constexpr std::size_t kMostBytes = std::size_t{64} << 20;
constexpr timeval kConnectPatience{10, 0}, kAnswerPatience{600, 0};

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { ::close(descriptor_); }

  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  // Nothing more comes: the end, or an error.
  bool read(std::string& all) const {
    char bytes[16384];
    const ssize_t count = ::recv(descriptor_, bytes, sizeof(bytes), 0);
    if (count <= 0) return false;
    all.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

 private:
  int descriptor_;
};

// What the server said, in the shape of OpenAI's errors or any other.
Error told(int status, const Result<util::Json>& body) {
  std::string message = fmt::format("the server answered with status {}", status);
  std::string reason;
  if (body && body->is_object() && body->contains("error")) {
    const util::Json& error = (*body)["error"];
    if (error.is_string()) message = error.get<std::string>();
    if (error.is_object() && error.contains("message") && error["message"].is_string())
      message = error["message"].get<std::string>();
    if (error.is_object() && error.contains("code") && error["code"].is_string())
      reason = error["code"].get<std::string>();
  }
  const Error::Code code = status == 404   ? Error::Code::not_found
                           : status == 503 ? Error::Code::unavailable
                           : status < 500  ? Error::Code::invalid
                                           : Error::Code::internal;
  return Error{code, std::move(message), "", std::move(reason), {}};
}

}  // namespace

ServerClient::ServerClient(const server::Options& options) : host_(options.host), port_(options.port) {
  if (host_ == "0.0.0.0" || host_.empty()) host_ = "127.0.0.1";
  if (host_ == "::") host_ = "::1";
  if (!options.api_key.empty()) key_ = options.api_key.front();
}

std::string ServerClient::url() const {
  const bool bracketed = host_.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}", bracketed ? "[" : "", host_, bracketed ? "]" : "", port_);
}

Error ServerClient::unreachable(const std::string& why) const {
  return Error{Error::Code::unavailable,
               fmt::format("no server answers at {} ({}); start one with `pensieve serve`, or name another "
                           "with --host and --port",
                           url(), why),
               "",
               "server_unreachable",
               {}};
}

Result<int> ServerClient::connect() const {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int problem = getaddrinfo(host_.c_str(), std::to_string(port_).c_str(), &wanted, &found);
      problem != 0)
    return tl::unexpected(unreachable(gai_strerror(problem)));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  std::string why = "no address";
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    const int descriptor = ::socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (descriptor < 0) continue;
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &kConnectPatience, sizeof(kConnectPatience));
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &kAnswerPatience, sizeof(kAnswerPatience));
    if (::connect(descriptor, at->ai_addr, at->ai_addrlen) == 0) return descriptor;
    why = std::strerror(errno);
    ::close(descriptor);
  }
  return tl::unexpected(unreachable(why));
}

Result<util::Json> ServerClient::ask(std::string_view method, std::string_view path,
                                     const std::string& body) const {
  const Result<int> descriptor = connect();
  if (!descriptor) return tl::unexpected(descriptor.error());
  const Socket socket(*descriptor);
  std::string request = fmt::format("{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", method, path,
                                    url().substr(std::string_view("http://").size()));
  if (!key_.empty()) request += fmt::format("authorization: Bearer {}\r\n", key_);
  if (method != "GET") {
    request += fmt::format("content-type: application/json\r\ncontent-length: {}\r\n", body.size());
  }
  std::string answer;
  if (socket.send(request + "\r\n" + body)) {
    while (answer.size() < kMostBytes && socket.read(answer)) continue;
  }
  const std::size_t head = answer.find("\r\n\r\n");
  int status = 0;
  if (answer.starts_with("HTTP/1.1 ") && answer.size() > 12)
    std::from_chars(answer.data() + 9, answer.data() + 12, status);
  if (head == std::string::npos || status == 0)
    return tl::unexpected(
        unreachable(answer.empty() ? "it closed the connection" : "it does not speak HTTP"));
  Result<util::Json> parsed = util::parse_json(std::string_view(answer).substr(head + 4));
  if (status < 200 || status > 299) return tl::unexpected(told(status, parsed));
  return parsed;
}

std::string escape_segment(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace pensieve::tools
