// Threads that take items from a shared counter; where none can be started, the calling thread does all.
#include "hal/reference/parallel.h"

#include <algorithm>
#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

namespace pensieve::hal::reference {
namespace {

constexpr double kOperationsWorthAThread = 1e6;

}  // namespace

void run_parallel(std::int32_t threads, std::size_t items, double operations,
                  const std::function<void(std::size_t worker, std::size_t item)>& run) {
  std::atomic<std::size_t> next = 0;
  const auto take_items = [&](std::size_t worker) {
    for (std::size_t item = next++; item < items; item = next++) run(worker, item);
  };
  const std::size_t worthwhile = 1 + static_cast<std::size_t>(operations / kOperationsWorthAThread);
  const std::size_t count = std::min({static_cast<std::size_t>(std::max(threads, 1)), items, worthwhile});
  std::vector<std::thread> others;
  others.reserve(count);
  try {
    for (std::size_t worker = 1; worker < count; ++worker) others.emplace_back(take_items, worker);
  } catch (const std::system_error&) {  // the limit on threads is reached: those that run suffice
  }
  take_items(0);
  for (std::thread& other : others) other.join();
}

}  // namespace pensieve::hal::reference
