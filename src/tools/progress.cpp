// Draws the bar at most ten times a second.
#include "tools/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace pensieve::tools {

using std::chrono::steady_clock;

Progress::Progress(std::string label, std::int64_t total)
    : label_(std::move(label)),
      total_(std::max<std::int64_t>(total, 1)),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(steady_clock::now()),
      last_(start_) {}

Progress::~Progress() {
  if (drawn_) fmt::print(stderr, "\r\033[K");
}

void Progress::advance(std::int64_t count) {
  done_ = std::min(total_, done_ + count);
  const auto now = steady_clock::now();
  if (!terminal_ || now - start_ < std::chrono::seconds(1) || now - last_ < std::chrono::milliseconds(100))
    return;
  last_ = now;
  draw();
}

void Progress::draw() {
  constexpr int kWidth = 30;
  const double share = static_cast<double>(done_) / static_cast<double>(total_);
  const double seconds = std::chrono::duration<double>(last_ - start_).count();
  const int filled = static_cast<int>(share * kWidth);
  const std::string left =
      done_ > 0 ? fmt::format("{:.0f} s left", seconds / share - seconds) : std::string("…");
  fmt::print(stderr, "\r\033[K{} [{:#<{}}{:.<{}}] {:.0f}% {}", label_, "", filled, "", kWidth - filled,
             share * 100, left);
  std::fflush(stderr);
  drawn_ = true;
}

Notice::Notice(std::string text) : text_(std::move(text)) {
  if (isatty(STDERR_FILENO) == 1) thread_ = std::thread([this] { show(); });
}

Notice::~Notice() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    done_ = true;
  }
  ended_.notify_one();
  thread_.join();
}

void Notice::show() {
  std::unique_lock lock(mutex_);
  if (ended_.wait_for(lock, std::chrono::seconds(1), [this] { return done_; })) return;
  fmt::print(stderr, "{}", text_);
  std::fflush(stderr);
  ended_.wait(lock, [this] { return done_; });
  fmt::print(stderr, "\r\033[K");
}

}  // namespace pensieve::tools
