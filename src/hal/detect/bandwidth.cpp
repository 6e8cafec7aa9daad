// Each thread owns a part of the buffer, written by itself first so that its memory is near, and reads it in
// several streams; a sample lasts until the last thread is done, so threads beyond the processors gain nothing.
#include "hal/detect/bandwidth.h"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#include "hal/detect/memory.h"

namespace pensieve::hal {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kLeastBytes = std::size_t{64} << 20;
constexpr std::size_t kStreams = 8;
constexpr int kSamples = 12;
constexpr std::chrono::milliseconds kMeasuring{100};

std::uint64_t read_streams(const std::uint64_t* words, std::size_t count) {
  const std::size_t length = count / kStreams / 8 * 8;
  std::uint64_t sums[kStreams] = {};
  for (std::size_t at = 0; at < length; at += 8) {
    for (std::size_t stream = 0; stream < kStreams; ++stream) {
      const std::uint64_t* line = words + stream * length + at;
      sums[stream] += (line[0] + line[1]) + (line[2] + line[3]) + (line[4] + line[5]) + (line[6] + line[7]);
    }
  }
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums) total += sum;
  return total;
}

}  // namespace

double measure_read_bandwidth(std::int32_t threads, std::size_t last_level_cache) {
  const auto workers = static_cast<std::size_t>(std::clamp(threads, 1, 1024));
  const std::size_t available = detect_memory().available;
  std::size_t bytes = std::max(4 * last_level_cache, kLeastBytes);
  if (available > 0) bytes = std::min(bytes, available / 4);
  const std::size_t part = bytes / sizeof(std::uint64_t) / workers;
  const std::unique_ptr<std::uint64_t[]> words(new (std::nothrow) std::uint64_t[part * workers]);
  if (words == nullptr || part == 0) return 0;

  std::atomic<std::uint64_t> sink = 0;  // keeps the reads from being optimised away
  // A sample lasts from one meeting of all threads to the next; the first meeting follows the writing.
  double best_seconds = 1e9;
  int meetings = 0;
  bool enough = false;
  Clock::time_point start, last;
  const auto take_time = [&]() noexcept {
    const auto now = Clock::now();
    if (meetings++ == 0) start = now;
    if (meetings > 1)
      best_seconds = std::min(best_seconds, std::chrono::duration<double>(now - last).count());
    enough = meetings > kSamples || (meetings > 3 && now - start > kMeasuring);
    last = now;
  };
  std::barrier meeting(static_cast<std::ptrdiff_t>(workers), take_time);
  const auto work = [&](std::size_t worker) {
    std::uint64_t* mine = words.get() + worker * part;
    std::fill_n(mine, part, worker);
    meeting.arrive_and_wait();
    while (!enough) {
      sink += read_streams(mine, part);
      meeting.arrive_and_wait();
    }
  };
  std::vector<std::thread> others;
  try {
    for (std::size_t worker = 1; worker < workers; ++worker) others.emplace_back(work, worker);
  } catch (const std::system_error&) {  // fewer threads than asked: take the missing ones out of the meeting
    for (std::size_t missing = others.size() + 1; missing < workers; ++missing) meeting.arrive_and_drop();
  }
  work(0);
  for (std::thread& other : others) other.join();
  const std::size_t read = part / kStreams / 8 * 8 * kStreams * sizeof(std::uint64_t) * (others.size() + 1);
  return static_cast<double>(read) / best_seconds / 1e9;
}

}  // namespace pensieve::hal
