// Channel: a connection as bytes in and bytes out, with deadlines. The HTTP code above it knows no socket, so
// it compiles without the network library and is tested on a channel made of strings.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/executor.h"
#include "server/task.h"

namespace pensieve::server {

// Thread rule: the executor's thread only.
class Channel {
 public:
  virtual ~Channel() = default;
  virtual const std::shared_ptr<Executor>& executor() const = 0;

  // Bytes received and not yet consumed. Reading goes on by itself up to a bound, so that a peer that hangs
  // up is noticed whatever the server is doing.
  virtual std::string_view input() const = 0;
  virtual bool input_full() const = 0;
  virtual void consume(std::size_t bytes) = 0;
  // Fires when input came, the peer left, the deadline passed, unsent shrank, or the connection is wanted to
  // end.
  virtual Signal& changed() = 0;

  virtual void send(std::string_view bytes) = 0;  // appends; sent by flush
  virtual void flush() = 0;
  virtual std::size_t unsent() const = 0;

  // One deadline for whatever is awaited from the peer; nothing: none. Writes have their own.
  virtual void set_deadline(std::optional<std::chrono::seconds> from_now) = 0;
  virtual bool expired() const = 0;  // the deadline passed; cleared by set_deadline

  virtual bool gone() const = 0;  // the peer closed its side, an error occurred, or close() was called
  virtual void on_gone(std::function<void()> call) = 0;
  virtual void close() = 0;  // at once
  virtual void
  close_after_flush() = 0;  // sends the rest, then discards input for a moment so that the peer can read it
};

}  // namespace pensieve::server
