// See http_exchange.h.
#include "server/http/http_exchange.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <utility>

#include "server/http/event_stream.h"
#include "server/websocket/channel_socket.h"
#include "server/websocket/handshake.h"

namespace pensieve::server {
namespace {

// Beyond this much unsent, the writer of a stream is suspended.
constexpr std::size_t kSendBound = 64 << 10;

std::string_view reason_of(int status) {
  switch (status) {
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    case 529:
      return "Overloaded";
    default:
      return "";
  }
}

// RFC 9110, 5.6.7; strftime's names would depend on the locale.
std::string http_date() {
  constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s, %02d %s %d %02d:%02d:%02d GMT",
                kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour,
                parts.tm_min, parts.tm_sec);
  return text.data();
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

}  // namespace

HttpExchange::HttpExchange(Channel& channel, Head head)
    : channel_(channel), head_(std::move(head)), keep_alive_(head_.keep_alive) {}

std::string HttpExchange::head_text(int status, std::string_view content_type,
                                    const std::vector<Header>& headers) const {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " ";
  out += reason_of(status);
  out += "\r\n";
  append_header(out, "date", http_date());
  if (!content_type.empty()) append_header(out, "content-type", content_type);
  for (const Header& field : common_) append_header(out, field.name, field.value);
  for (const Header& field : headers) append_header(out, field.name, field.value);
  append_header(out, "x-content-type-options", "nosniff");
  if (!keep_alive_ && status != 101) append_header(out, "connection", "close");
  return out;
}

void HttpExchange::reply(int status, std::string_view content_type, std::string body,
                         std::vector<Header> headers) {
  if (status_ != 0) return;
  status_ = status;
  std::string out = head_text(status, content_type, headers);
  if (status != 204 && status != 304) append_header(out, "content-length", std::to_string(body.size()));
  out += "\r\n";
  channel_.send(out);
  if (head_.method != "HEAD" && status != 204 && status != 304) {
    channel_.send(body);
    bytes_ += body.size();
  }
  channel_.flush();
}

void HttpExchange::begin_stream(std::string_view content_type) {
  if (status_ != 0) return;
  status_ = 200;
  streaming_ = true;
  if (head_.version_1_0) keep_alive_ = false;
  const std::vector<Header> headers{{"cache-control", "no-cache"}, {"x-accel-buffering", "no"}};
  std::string out = head_text(200, content_type, headers);
  if (!head_.version_1_0) append_header(out, "transfer-encoding", "chunked");
  out += "\r\n";
  channel_.send(out);
}

void HttpExchange::begin_events() {
  begin_stream("text/event-stream");
}

void HttpExchange::begin_lines() {
  begin_stream("application/x-ndjson");
}

void HttpExchange::send_line(std::string_view json) {
  if (!streaming_ || head_.method == "HEAD") return;
  events_ += json;
  events_ += '\n';
}

void HttpExchange::send_event(std::string_view name, std::string_view data) {
  if (!streaming_ || head_.method == "HEAD") return;
  append_event(name, data, events_);
}

void HttpExchange::send_chunk() {
  if (events_.empty()) return;
  bytes_ += events_.size();
  if (head_.version_1_0) {
    channel_.send(events_);
  } else {
    std::string chunk;
    append_chunk(events_, chunk);
    channel_.send(chunk);
  }
  events_.clear();
}

Task<void> HttpExchange::flush() {
  send_chunk();
  channel_.flush();
  while (channel_.unsent() > kSendBound && !channel_.gone() && cancelled_ == Cancelled::no) {
    co_await channel_.changed().wait();
  }
}

Result<std::unique_ptr<MessageSocket>> HttpExchange::upgrade(std::size_t most_bytes) {
  if (head_.version_1_0 || head_.method != "GET") {
    return fail(Error::Code::invalid, "a WebSocket begins with GET over HTTP/1.1", {}, "websocket_needed");
  }
  const auto accept = accept_handshake(head_.request);
  if (!accept) return tl::unexpected(accept.error());
  status_ = 101;
  keep_alive_ = false;
  const std::vector<Header> headers{
      {"upgrade", "websocket"}, {"connection", "Upgrade"}, {"sec-websocket-accept", *accept}};
  channel_.send(head_text(101, {}, headers) + "\r\n");
  channel_.flush();
  return std::make_unique<ChannelSocket>(channel_, most_bytes);
}

Task<void> HttpExchange::finish() {
  if (streaming_) {
    send_chunk();
    if (!head_.version_1_0 && !broken_) channel_.send("0\r\n\r\n");
  }
  channel_.flush();
  while (channel_.unsent() > 0 && !channel_.gone()) co_await channel_.changed().wait();
}

void HttpExchange::cancel(Cancelled reason) {
  if (cancelled_ != Cancelled::no) return;
  cancelled_ = reason;
  // Either call may resume the endpoint, which may end the exchange: nothing of it is touched afterwards.
  const std::function<void()> call = std::exchange(on_cancel_, nullptr);
  channel_.changed().fire();
  if (call) call();
}

void HttpExchange::count_tokens(std::int64_t prompt, std::int64_t generated) {
  prompt_tokens_ += prompt;
  generated_tokens_ += generated;
}

}  // namespace pensieve::server
