// See socket_session.h.
#include "server/streams/socket_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/generation.h"
#include "server/random_id.h"
#include "server/streams/stream_request.h"

namespace pensieve::server {
namespace {

constexpr std::size_t kGenerations = 256;  // on one connection

Result<Call> too_many() {
  return fail(Error::Code::exhausted,
              fmt::format("{} generations run on this connection; wait for one to end", kGenerations), {},
              "too_many_generations");
}

Result<Call> read_create(const ClientEvent& event) {
  if (event.refusal) return tl::unexpected(*event.refusal);
  return read_stream_chat(event.body);
}

}  // namespace

struct SocketSession::Bell {
  std::shared_ptr<Executor> executor;
  Signal* signal = nullptr;  // executor's thread only; null once the session has ended
  std::atomic<bool> rung = false;

  static void ring(const std::shared_ptr<Bell>& bell) {
    if (bell->rung.exchange(true)) return;
    bell->executor->post([weak = std::weak_ptr<Bell>(bell)] {
      const auto alive = weak.lock();
      if (!alive) return;
      alive->rung = false;
      if (alive->signal) alive->signal->fire();
    });
  }
};

SocketSession::SocketSession(Exchange& exchange, MessageSocket& socket, Context& context)
    : exchange_(exchange),
      socket_(socket),
      context_(context),
      owner_(exchange.request().owner),
      token_(random_id("evt_", 16)),
      bell_(std::make_shared<Bell>()) {
  bell_->executor = exchange.executor();
  bell_->signal = &socket.changed();
}

SocketSession::~SocketSession() {
  bell_->signal = nullptr;
  for (const Reading& reading : readings_) context_.streams.leave(reading.stream, reading.reader);
}

GenerationStream::Wake SocketSession::wake() const {
  return [bell = bell_] { Bell::ring(bell); };
}

Task<void> SocketSession::run() {
  while (socket_.open()) {
    bool moved = false;
    while (const auto message = socket_.next()) {
      handle(*message);
      moved = true;
    }
    moved = write_events() || moved;
    if (exchange_.cancelled() == Cancelled::server_stops) end_all();
    if (context_.draining && readings_.empty()) {
      socket_.close({CloseCode::going_away, "the server is shutting down"});
    }
    if (!moved && socket_.open()) co_await socket_.changed().wait();
  }
}

void SocketSession::handle(const MessageSocket::Message& message) {
  if (message.kind != FrameKind::text) {
    return stray({Error::Code::invalid,
                  "binary messages are not understood; send JSON as text",
                  {},
                  "invalid_request",
                  {}});
  }
  auto event = read_client_event(message.bytes);
  if (!event) return stray(event.error());
  switch (event->kind) {
    case ClientEvent::Kind::create:
      return create(std::move(*event));
    case ClientEvent::Kind::cancel:
      return cancel(*event);
    case ClientEvent::Kind::resume:
      return resume(*event);
  }
}

void SocketSession::create(ClientEvent event) {
  const bool full = readings_.size() >= kGenerations;
  auto stream = context_.streams.open(event.id, owner_, event.resumable && !full);
  if (!stream) {
    if (stream.error().reason == "id_in_use") return stray(stream.error());
    return refuse(event.id, std::move(stream.error()));
  }
  const std::string request_id = fmt::format("{}-{}", exchange_.request().id, ++created_);
  const auto reader = (*stream)->attach(0, wake());
  readings_.push_back({*stream, *reader, request_id, 0});  // a new stream can always be read from its start
  start_stream(context_, exchange_.executor(), *stream, full ? too_many() : read_create(event), request_id);
}

void SocketSession::cancel(const ClientEvent& event) {
  if (const auto cancelled = context_.streams.cancel(event.id, owner_); !cancelled) stray(cancelled.error());
}

void SocketSession::resume(const ClientEvent& event) {
  const auto stream = context_.streams.find(event.id, owner_);
  if (!stream) return stray(stream.error());
  if (!(*stream)->resumable()) {
    return stray({Error::Code::not_found,
                  fmt::format("generation '{}' was not created with resumable: true", event.id),
                  "id",
                  "generation_not_found",
                  {}});
  }
  const auto reader = (*stream)->attach(event.after, wake());
  if (!reader) return stray(reader.error());
  context_.streams.resumed(*stream);
  readings_.push_back({*stream, *reader, {}, event.after});
}

bool SocketSession::write_events() {
  bool any = false;
  for (bool more = true; more && socket_.open() && !socket_.full();) {
    more = false;
    for (std::size_t i = 0; i < readings_.size();) {  // one event of each in turn
      Reading& reading = readings_[i];
      const auto event = reading.stream->next(reading.reader);
      bool over = !event && !reading.stream->attached(reading.reader);  // another connection resumed it
      if (event) {
        more = any = true;
        write(reading, *event);
        over = event->last();
        if (over) context_.streams.leave(reading.stream, reading.reader);
      }
      if (over) {
        std::swap(reading, readings_.back());
        readings_.pop_back();
      } else {
        ++i;
      }
    }
  }
  return any;
}

void SocketSession::write(Reading& reading, const StreamEvent& event) {
  reading.sequence = event.sequence;
  text_.clear();
  append_stream_event(reading.stream->event_id(event.sequence), reading.stream->id(), event, text_);
  socket_.send(FrameKind::text, text_);
  if (!event.last() || reading.request_id.empty()) return;
  if (const auto* done = std::get_if<StreamDone>(&event.what))
    exchange_.count_tokens(done->usage.prompt_tokens, done->usage.completion_tokens);
  log_stream(context_, "websocket", reading.request_id, event);
}

void SocketSession::end_all() {
  for (Reading& reading : readings_) {
    reading.stream->cancel();
    write(reading, StreamEvent{reading.sequence + 1, server_stops()});
    context_.streams.leave(reading.stream, reading.reader);
  }
  readings_.clear();
  socket_.close({CloseCode::going_away, "the server is shutting down"});
}

std::string SocketSession::next_event_id() {
  return fmt::format("{}_{}", token_, ++own_events_);
}

void SocketSession::stray(const Error& error) {
  text_.clear();
  append_stray_error(next_event_id(), error, text_);
  socket_.send(FrameKind::text, text_);
}

void SocketSession::refuse(const std::string& id, Error error) {
  text_.clear();
  append_stream_event(next_event_id(), id, StreamEvent{1, std::move(error)}, text_);
  socket_.send(FrameKind::text, text_);
}

}  // namespace pensieve::server
