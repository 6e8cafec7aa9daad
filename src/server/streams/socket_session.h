// SocketSession: the protocol of GET /v1/ws on one connection: client events in, events of several
// generations out, interleaved. Not the bytes on the wire (websocket/) and not the generations
// (open_streams.h).
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "server/context.h"
#include "server/dialects/stream_json.h"
#include "server/exchange.h"
#include "server/streams/open_streams.h"
#include "server/websocket/message_socket.h"

namespace pensieve::server {

// Thread rule: the exchange's executor only.
class SocketSession {
 public:
  SocketSession(Exchange& exchange, MessageSocket& socket, Context& context);
  SocketSession(const SocketSession&) = delete;
  SocketSession& operator=(const SocketSession&) = delete;
  ~SocketSession();  // leaves its generations: what is not resumable is cancelled

  Task<void> run();  // until the connection ends

 private:
  // Wakes the session from the models' threads; outlives it in their hands.
  struct Bell;
  struct Reading {
    OpenStreams::Stream stream;
    GenerationStream::Reader reader = 0;
    std::string request_id;      // empty: resumed, so its end was or will be logged elsewhere
    std::uint64_t sequence = 0;  // of the last event sent
  };

  void handle(const MessageSocket::Message& message);
  void create(ClientEvent event);
  void cancel(const ClientEvent& event);
  void resume(const ClientEvent& event);
  bool write_events();  // whether there were any
  void write(Reading& reading, const StreamEvent& event);
  void end_all();
  void stray(const Error& error);  // an error about no generation
  void refuse(const std::string& id, Error error);
  std::string next_event_id();
  GenerationStream::Wake wake() const;

  Exchange& exchange_;
  MessageSocket& socket_;
  Context& context_;
  const std::string owner_;
  const std::string token_;  // of our own events' ids
  std::shared_ptr<Bell> bell_;
  std::vector<Reading> readings_;
  std::uint64_t own_events_ = 0, created_ = 0;
  std::string text_;  // reused
};

}  // namespace pensieve::server
