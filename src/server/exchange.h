// Exchange: one request and the writer of its one reply, whatever transport carried them.
// Not HTTP: framing, keep-alive and limits are the transport's (http/, websocket/); gRPC has none, see
// streams/.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "server/executor.h"
#include "server/task.h"

namespace pensieve::server {

struct Header {
  std::string name;  // lower case
  std::string value;
};

struct Request {
  std::string method;              // GET also for HEAD: the transport leaves the body out
  std::string path;                // as sent, without the query
  std::string query;               // after '?', as sent
  std::vector<Header> parameters;  // of the path pattern, percent-decoded
  std::vector<Header> headers;
  std::string body;
  std::string id;     // correlation id: the client's x-request-id or one of ours
  std::string owner;  // whose sessions, responses and streams it sees (KeyRing::owner)

  // The first header of that (lower-case) name, empty when there is none.
  std::string_view header(std::string_view name) const;
  std::string_view parameter(std::string_view name) const;
  std::optional<std::string> query_value(std::string_view name) const;  // percent-decoded
};

// '%41' to 'A'; nothing when an escape is broken or gives a NUL. `plus` also turns '+' into a space
// (queries).
std::optional<std::string> percent_decode(std::string_view text, bool plus = false);

class MessageSocket;

enum class Cancelled : std::uint8_t { no, client_gone, server_stops };

// Thread rule: the executor's thread only.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;
  virtual const std::shared_ptr<Executor>& executor() const = 0;

  virtual Cancelled cancelled() const = 0;
  // Called once when the exchange is cancelled from now on; an empty function takes the watch back. The
  // function must own what it touches: the exchange may be gone by then.
  virtual void on_cancel(std::function<void()> call) = 0;

  // The whole reply at once. Either this or a stream, once.
  virtual void reply(int status, std::string_view content_type, std::string body,
                     std::vector<Header> headers = {}) = 0;
  // A header of the reply or stream that is to come.
  virtual void add_header(std::string name, std::string value) = 0;
  // Begins a stream of events with status 200; send_event appends to a buffer and flush hands it on,
  // suspending while the client is too far behind, so that a slow reader slows only itself.
  virtual void begin_events() = 0;
  virtual void send_event(std::string_view name, std::string_view data) = 0;
  // The same for a stream of JSON objects, one a line; `json` has no newline.
  virtual void begin_lines() = 0;
  virtual void send_line(std::string_view json) = 0;
  virtual Task<void> flush() = 0;
  // Turns the connection into a WebSocket instead of replying; an error says why the request does not ask for
  // one. Messages have at most `most_bytes`. The socket must go before the exchange.
  virtual Result<std::unique_ptr<MessageSocket>> upgrade(std::size_t most_bytes) = 0;
  virtual bool replied() const = 0;  // the reply or the stream has begun

  // For the request's log line.
  virtual void count_tokens(std::int64_t prompt, std::int64_t generated) = 0;
};

}  // namespace pensieve::server
