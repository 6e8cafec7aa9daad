// HttpExchange: an exchange over HTTP/1.1: writes heads, whole bodies, and streams of server-sent events in
// chunks. Not the order of requests on a connection: http/connection.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/exchange.h"
#include "server/http/channel.h"
#include "server/http/head.h"

namespace pensieve::server {

class HttpExchange final : public Exchange {
 public:
  HttpExchange(Channel& channel, Head head);

  const Request& request() const override { return head_.request; }
  const std::shared_ptr<Executor>& executor() const override { return channel_.executor(); }
  Cancelled cancelled() const override { return cancelled_; }
  void on_cancel(std::function<void()> call) override { on_cancel_ = std::move(call); }
  void reply(int status, std::string_view content_type, std::string body,
             std::vector<Header> headers) override;
  void add_header(std::string name, std::string value) override {
    common_.push_back({std::move(name), std::move(value)});
  }
  void begin_events() override;
  void send_event(std::string_view name, std::string_view data) override;
  void begin_lines() override;
  void send_line(std::string_view json) override;
  Task<void> flush() override;
  Result<std::unique_ptr<MessageSocket>> upgrade(std::size_t most_bytes) override;
  bool replied() const override { return status_ != 0; }
  void count_tokens(std::int64_t prompt, std::int64_t generated) override;

  // For the connection.
  Request& edit_request() { return head_.request; }
  const Head& head() const { return head_; }
  void cancel(Cancelled reason);
  void close_after() { keep_alive_ = false; }
  void abandon() {
    broken_ = true;
  }                     // the stream cannot be ended properly: the connection must not serve another
  Task<void> finish();  // ends the stream and waits until everything is sent or the client has gone
  bool keep_alive() const { return keep_alive_ && !broken_; }
  int status() const { return status_; }
  std::uint64_t bytes() const { return bytes_; }
  std::int64_t tokens() const { return prompt_tokens_ + generated_tokens_; }

 private:
  std::string head_text(int status, std::string_view content_type, const std::vector<Header>& headers) const;
  void begin_stream(std::string_view content_type);
  void send_chunk();

  Channel& channel_;
  Head head_;
  std::vector<Header> common_;  // of every reply
  std::function<void()> on_cancel_;
  Cancelled cancelled_ = Cancelled::no;
  bool keep_alive_ = true, broken_ = false, streaming_ = false;
  int status_ = 0;
  std::string events_;       // or lines, not yet framed
  std::uint64_t bytes_ = 0;  // of bodies
  std::int64_t prompt_tokens_ = 0, generated_tokens_ = 0;
};

}  // namespace pensieve::server
