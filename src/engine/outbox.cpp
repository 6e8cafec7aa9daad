// Outbox: delivery in order of posting; foreign code (sinks) runs only here.
// Not for back-pressure: a sink must return quickly (core/inference.h), whoever writes to a slow client
// buffers.
#include "engine/outbox.h"

#include <new>
#include <utility>

namespace pensieve::engine {
namespace {

// Without memory for the note the request runs to its end unheard, which harms nobody.
void note(GenerationId id, std::vector<GenerationId>& broken) noexcept {
  try {
    broken.push_back(id);
  } catch (const std::bad_alloc&) {
  }
}

}  // namespace

void Outbox::post(Generation& generation, std::int32_t choice, decltype(ReplyEvent::what) what) {
  events_.push_back({&generation, ReplyEvent{choice, std::move(what)}});
}

void Outbox::retire(std::unique_ptr<Generation> generation) {
  retired_.push_back(std::move(generation));
}

void tell_failure(ReplySink* sink, const Error& error) noexcept {
  if (sink == nullptr) return;
  try {
    sink->on_event({0, Failed{error}});
  } catch (const std::bad_alloc&) {
    try {
      sink->on_event({0, Failed{Error{Error::Code::exhausted, "out of memory", {}, {}, {}}}});
    } catch (...) {  // nobody is left to be told
    }
  } catch (...) {  // as above
  }
}

std::vector<GenerationId> Outbox::deliver() noexcept {
  std::vector<GenerationId> broken;
  for (Letter& letter : events_) {
    ReplySink* sink = letter.to->request.sink.get();
    if (sink == nullptr) continue;
    try {
      sink->on_event(std::move(letter.event));
    } catch (...) {  // whatever it is, it is the client's side that failed; the loop serves others
      letter.to->request.sink.reset();
      note(letter.to->request.id, broken);
    }
  }
  events_.clear();
  retired_.clear();
  return broken;
}

}  // namespace pensieve::engine
