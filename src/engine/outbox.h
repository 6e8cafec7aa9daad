// Outbox: events on their way to the sinks. They wait here until the device works on the next step, so that
// delivering costs no time of its own. Not a queue between threads: sinks are called by the engine's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/sequence.h"

namespace pensieve::engine {

// Hands over the one event of a request that ends before it began, or all at once; never throws. Short of
// memory, the text is shorter than `error`'s.
void tell_failure(ReplySink* sink, const Error& error) noexcept;

class Outbox {
 public:
  void post(Generation& generation, std::int32_t choice, decltype(ReplyEvent::what) what);
  // No event follows for this request: it and its sink are destroyed after the next delivery.
  void retire(std::unique_ptr<Generation> generation);
  bool empty() const { return events_.empty() && retired_.empty(); }

  // Calls the sinks. A sink that throws gets nothing more; answers the ids of those, for the engine to
  // cancel. Never throws: each event is handed over once.
  std::vector<GenerationId> deliver() noexcept;

 private:
  struct Letter {
    Generation* to;
    ReplyEvent event;
  };
  std::vector<Letter> events_;
  std::vector<std::unique_ptr<Generation>> retired_;
};

}  // namespace pensieve::engine
