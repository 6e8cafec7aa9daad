// Counters: what the engine's thread has done, readable from any thread while it goes on.
// Not for export: manage turns InferenceStats into metrics. Thread rule: written by the engine's thread, read
// by any.
#pragma once

#include <atomic>
#include <cstdint>
#include <type_traits>

#include "core/inference.h"

namespace pensieve::engine {

struct Counters {
  std::atomic<std::uint64_t> prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  std::atomic<std::uint64_t> finished = 0, cancelled = 0, failed = 0, steps = 0;
  std::atomic<std::int32_t> running = 0, waiting = 0;
  std::atomic<std::int64_t> pages_used = 0, pages_total = 0;
  std::atomic<std::size_t> memory_bytes = 0;

  // Single values are exact; together they may be of neighbouring moments.
  InferenceStats read() const {
    constexpr auto kOrder = std::memory_order_relaxed;
    return {.prompt_tokens = prompt_tokens.load(kOrder),
            .cached_tokens = cached_tokens.load(kOrder),
            .generated_tokens = generated_tokens.load(kOrder),
            .finished = finished.load(kOrder),
            .cancelled = cancelled.load(kOrder),
            .failed = failed.load(kOrder),
            .steps = steps.load(kOrder),
            .running = running.load(kOrder),
            .waiting = waiting.load(kOrder),
            .pages_used = pages_used.load(kOrder),
            .pages_total = pages_total.load(kOrder),
            .memory_bytes = memory_bytes.load(kOrder)};
  }
};

// One writer: a load and a store are enough, and cost no bus lock.
template <class Value>
void add(std::atomic<Value>& counter, std::type_identity_t<Value> amount) {
  counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
}

}  // namespace pensieve::engine
