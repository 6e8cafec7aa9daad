// Outbox: delivery in order of posting; foreign code (sinks) runs only here.
// Not for back-pressure: a sink must return quickly (core/inference.h), whoever writes to a slow client
// buffers.
#include "engine/outbox.h"

#include <utility>

namespace pensieve::engine {

void Outbox::post(Generation& generation, std::int32_t choice, decltype(ReplyEvent::what) what) {
  events_.push_back({&generation, ReplyEvent{choice, std::move(what)}});
}

void Outbox::retire(std::unique_ptr<Generation> generation) {
  retired_.push_back(std::move(generation));
}

std::vector<GenerationId> Outbox::deliver() {
  std::vector<GenerationId> broken;
  for (Letter& letter : events_) {
    ReplySink* sink = letter.to->request.sink.get();
    if (sink == nullptr) continue;
    try {
      sink->on_event(std::move(letter.event));
    } catch (...) {  // whatever it is, it is the client's side that failed; the loop serves others
      broken.push_back(letter.to->request.id);
      letter.to->request.sink.reset();
    }
  }
  events_.clear();
  retired_.clear();
  return broken;
}

}  // namespace pensieve::engine
