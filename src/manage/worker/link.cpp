// The loop over socket, output and end of one worker. It never blocks on the worker: whatever that does or
// leaves undone, the loop turns.
#include "manage/worker/link.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "manage/worker/worker_log.h"

namespace pensieve::manage {
namespace {

using std::chrono::milliseconds;
using util::LogLevel;

constexpr std::size_t kMostUnsent = std::size_t{128} << 20;
constexpr std::size_t kReadAtOnce = std::size_t{256} << 10;
constexpr std::size_t kReadInATurn = std::size_t{4} << 20;  // then the other descriptors get their turn
constexpr std::size_t kReadAfterDeath = wire::kLargestFrame;
constexpr int kLastOutputReads = 64;
constexpr milliseconds kLastBreath{200};  // between the end of a socket and that of its process
constexpr milliseconds kFarewell{2000};   // to end by itself when the socket is closed
constexpr milliseconds kDeath{30'000};    // to end when killed; large memories take a while to be given back

Error worker_gone(std::string reason, const std::string& what) {
  return {Error::Code::unavailable,
          fmt::format("the model's process {}; ask again: it is started anew", what),
          "",
          std::move(reason),
          {}};
}

// Bytes that came; 0: none for now, and `open` tells whether more can come.
std::size_t read_some(int descriptor, char* buffer, std::size_t size, bool& open) {
  const ssize_t got = read(descriptor, buffer, size);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got == 0 || (errno != EAGAIN && errno != EINTR)) open = false;
  return 0;
}

// A want of memory, or a defect of whoever is called, ends what was being done and not the process.
template <class Work>
void survive(Work&& work) noexcept {
  try {
    work();
  } catch (...) {
    return;
  }
}

void empty(const util::Descriptor& event) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto taken = read(event.number(), &count, sizeof count);
}

}  // namespace

Link::Link(LinkOptions options, LinkOwner& owner, util::Log& log)
    : options_(std::move(options)),
      owner_(owner),
      log_(log),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { run(); }) {}

Link::~Link() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake();
  thread_.join();
}

void Link::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(wake_.number(), &one, sizeof one);
}

Result<> Link::send(const wire::ToWorker& message) {
  std::string frame;
  if (!wire::append_frame(message, frame)) {
    return fail(
        Error::Code::invalid,
        fmt::format("the request has more than {} bytes for the model; send less", wire::kLargestFrame), "",
        "request_too_large");
  }
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (gone_) return tl::unexpected(*gone_);
    if (unsent_.size() + frame.size() > kMostUnsent)
      return fail(Error::Code::unavailable,
                  "the model's process does not take requests fast enough; try again later", "",
                  "worker_busy");
    first = unsent_.empty();
    unsent_ += frame;
  }
  if (first) wake();
  return {};
}

void Link::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  wake();
}

void Link::run_posted() {
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (const std::function<void()>& task : work) survive(task);
}

bool Link::stopping() {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void Link::spawn_and_serve() {
  Result<ChildProcess> child = ChildProcess::spawn(options_.launch);
  if (child) {
    serve(*child);
  } else {
    tell_owner(child.error());
  }
}

void Link::run() {
  survive([this] { spawn_and_serve(); });
  // The child is gone: leaving that call killed it. Texts this short need no memory.
  if (!told_) {
    survive([this] {
      tell_owner(Error{Error::Code::unavailable, "out of memory", "", "worker_crashed", {}});
    });
  }
  for (;;) {
    survive([this] { run_posted(); });
    {
      const std::lock_guard lock(mutex_);
      if (stop_ && posted_.empty()) return;
    }
    pollfd watched{wake_.number(), POLLIN, 0};
    poll(&watched, 1, -1);
    empty(wake_);
  }
}

void Link::serve(ChildProcess& child) {
  lines_.emplace(log_, child.pid(), options_.model);
  log_.write(
      options_.life, "worker_started",
      {{"model", std::string_view(options_.model)}, {"worker", static_cast<std::int64_t>(child.pid())}});
  heard_ = Clock::now();
  try {
    while (turn(child)) run_posted();
  } catch (const std::exception& problem) {  // out of memory, most likely: this model ends, the others live
    child.kill();
    fault_ = worker_gone("worker_link_failed", fmt::format("could not be served ({})", problem.what()));
  }
  bury(child);
  lines_.reset();
}

bool Link::turn(ChildProcess& child) {
  const short wanted = sent_ < sending_.size() ? POLLIN | POLLOUT : POLLIN;
  std::array<pollfd, 4> watched{{{wake_.number(), POLLIN, 0},
                                 {child.socket.number(), wanted, 0},
                                 {child.output.number(), POLLIN, 0},
                                 {child.ended().number(), POLLIN, 0}}};
  const auto left = std::chrono::duration_cast<milliseconds>(heard_ + options_.silence - Clock::now());
  poll(watched.data(), watched.size(),
       static_cast<int>(std::clamp<std::int64_t>(left.count() + 1, 0, 60'000)));
  if (watched[0].revents != 0) empty(wake_);
  if (stopping()) return false;
  if (watched[2].revents != 0) read_output(child);
  const bool ended = watched[3].revents != 0;
  if ((watched[1].revents != 0 || ended) && !read_messages(child, ended ? kReadAfterDeath : kReadInATurn))
    return false;
  if (ended) return false;
  if (Clock::now() - heard_ > options_.silence) {
    fault_ = worker_gone("worker_stalled",
                         fmt::format("was silent for {} ms and had to be ended", options_.silence.count()));
    return false;
  }
  return write_messages(child);
}

bool Link::read_messages(ChildProcess& child, std::size_t most) {
  bool open = true;
  for (std::size_t total = 0; open && total < most;) {
    const std::size_t got = read_some(child.socket.number(), frames_.room(kReadAtOnce), kReadAtOnce, open);
    if (got == 0) break;
    total += got;
    frames_.filled(got);
    if (Result<> taken = take_frames(); !taken) {
      Error& problem = taken.error();
      fault_ =
          problem.reason.empty()
              ? worker_gone("worker_misbehaved", "sent nonsense and had to be ended (" + problem.what + ")")
              : std::move(problem);
      return false;
    }
    if (got < kReadAtOnce) break;
  }
  return open;
}

Result<> Link::take_frames() {
  for (;;) {
    const Result<std::optional<std::string_view>> frame = frames_.next();
    if (!frame) return tl::unexpected(frame.error());
    if (!*frame) return {};
    heard_ = Clock::now();
    Result<wire::ToGateway> message = wire::read_to_gateway(**frame);
    if (!message) return tl::unexpected(std::move(message.error()));
    if (Result<> received = owner_.receive(std::move(*message), (*frame)->size()); !received) return received;
  }
}

bool Link::write_messages(ChildProcess& child) {
  for (;;) {
    if (sent_ == sending_.size()) {
      sending_.clear();
      sent_ = 0;
      const std::lock_guard lock(mutex_);
      sending_.swap(unsent_);
    }
    if (sending_.empty()) return true;
    const ssize_t done = ::send(child.socket.number(), sending_.data() + sent_, sending_.size() - sent_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    // A broken pipe is left to reading, which first takes what the worker still said.
    if (done < 0) return true;
    sent_ += static_cast<std::size_t>(done);
  }
}

bool Link::read_output(ChildProcess& child) {
  std::array<char, 16384> buffer;
  bool open = true;
  const std::size_t got = read_some(child.output.number(), buffer.data(), buffer.size(), open);
  lines_->feed({buffer.data(), got});
  if (!open) child.output.close();
  return got > 0;
}

void Link::tell_owner(const Error& why) {
  {
    const std::lock_guard lock(mutex_);
    if (!gone_) gone_ = why;
    std::string().swap(unsent_);
  }
  std::string().swap(sending_);
  frames_ = {};
  told_ = true;
  survive([&] { owner_.ended(why); });
}

// Told first, waited for afterwards: clients should not wait until a large memory was given back.
void Link::bury(ChildProcess& child) {
  std::optional<Ending> ending;
  const bool asked = stopping();
  if (fault_) {
    child.kill();
    tell_owner(*fault_);
  } else if (asked) {
    tell_owner(Error{
        Error::Code::unavailable, "the model is being unloaded; ask again", "", std::string(kUnloading), {}});
    child.socket.close();
    ending = child.wait(kFarewell);
  } else {
    ending = child.wait(kLastBreath);
    if (!ending) child.kill();
    tell_owner(
        worker_gone("worker_crashed", ending ? "ended with " + ending->text() : "closed its connection"));
  }
  child.socket.close();
  if (!ending) child.kill();
  if (!ending) ending = child.wait(kDeath);
  for (int reads = 0; reads < kLastOutputReads && child.output.open() && read_output(child);) ++reads;
  const bool expected = asked || (ending && ending->clean());
  log_.write(expected && !fault_ ? options_.life : LogLevel::error, "worker_ended",
             {{"model", std::string_view(options_.model)},
              {"worker", static_cast<std::int64_t>(child.pid())},
              {"how", std::string_view(ending ? ending->text() : "not at all")},
              {"reason", std::string_view(fault_  ? fault_->what
                                          : asked ? "asked to"
                                                  : "by itself")}});
}

}  // namespace pensieve::manage
