// Runs independent items on a few threads, started for each call: simple, and good enough for an oracle.
// What an item computes must not depend on the thread that runs it, so results do not depend on the thread
// count.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace pensieve::hal::reference {

// Calls run(worker, item) for each item in [0, items), worker in [0, threads); `run` must not throw.
// Small work (`operations`, in multiply-adds) stays on the calling thread.
void run_parallel(std::int32_t threads, std::size_t items, double operations,
                  const std::function<void(std::size_t worker, std::size_t item)>& run);

}  // namespace pensieve::hal::reference
