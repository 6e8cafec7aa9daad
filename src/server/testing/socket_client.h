// A blocking client of plain bytes, for tests that look at what really goes over the wire.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace pensieve::server::testing {

// A reply read from the wire: status, head, body with chunks joined.
struct WireReply {
  int status = 0;  // 0: the server closed without one
  std::string head, body;
  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

class SocketClient {
 public:
  explicit SocketClient(const std::string& url) {
    const auto port =
        static_cast<std::uint16_t>(std::strtoul(url.substr(url.rfind(':') + 1).c_str(), nullptr, 10));
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    const timeval patience{60, 0};  // so that a hang is a failure, not a hang of the tests
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~SocketClient() { close(); }
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // Reads until `mark` stands in what was received (true), or the connection ends (false).
  bool read_until(std::string_view mark, std::size_t from = 0) {
    while (received_.find(mark, from) == std::string::npos) {
      char bytes[8192];
      const ssize_t count = ::recv(socket_, bytes, sizeof(bytes), 0);
      if (count <= 0) return false;
      received_.append(bytes, static_cast<std::size_t>(count));
    }
    return true;
  }
  bool closed_by_server() { return !read_until(std::string_view("\0never\0", 7)); }
  const std::string& received() const { return received_; }

  // The next reply; `without_body` after HEAD.
  WireReply reply(bool without_body = false) {
    WireReply out;
    if (!read_until("\r\n\r\n")) return out;
    const std::size_t end = received_.find("\r\n\r\n") + 4;
    out.head = received_.substr(0, end);
    received_.erase(0, end);
    out.status = std::atoi(out.head.c_str() + 9);
    if (without_body || out.status == 204 || out.status == 304 || out.status == 100) return out;
    if (out.has("transfer-encoding: chunked")) {
      out.body = chunks();
    } else {
      const std::size_t at = out.head.find("content-length: ");
      const std::size_t size =
          at == std::string::npos ? 0 : std::strtoul(out.head.c_str() + at + 16, nullptr, 10);
      while (received_.size() < size && read_more()) continue;
      out.body = received_.substr(0, size);
      received_.erase(0, size);
    }
    return out;
  }
  // Whatever comes next; false: nothing more will.
  bool read_more() {
    const std::size_t before = received_.size();
    char bytes[8192];
    const ssize_t count = ::recv(socket_, bytes, sizeof(bytes), 0);
    if (count > 0) received_.append(bytes, static_cast<std::size_t>(count));
    return received_.size() > before;
  }
  WireReply ask(std::string_view bytes) {
    send(bytes);
    return reply();
  }

 private:
  std::string chunks() {
    std::string body;
    while (read_until("\r\n")) {
      const std::size_t line = received_.find("\r\n");
      const std::size_t size = std::strtoul(received_.c_str(), nullptr, 16);
      while (received_.size() < line + 4 + size) {
        if (!read_more()) return body + "<cut>";
      }
      body += received_.substr(line + 2, size);
      received_.erase(0, line + 4 + size);
      if (size == 0) return body;
    }
    return body + "<cut>";
  }

  int socket_ = -1;
  bool connected_ = false;
  std::string received_;
};

inline std::string post(std::string_view path, std::string_view body, std::string_view headers = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nhost: localhost\r\n" + std::string(headers) +
         "content-length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
inline std::string get(std::string_view path, std::string_view headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nhost: localhost\r\n" + std::string(headers) + "\r\n";
}

}  // namespace pensieve::server::testing
