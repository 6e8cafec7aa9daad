// Link: the gateway's end of one worker process: starts it, carries messages both ways, passes its log on,
// and notices its end, its silence and its nonsense. Not what the messages mean: that is the owner's
// (worker_inference.h, examination.h).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/result.h"
#include "manage/wire/messages.h"
#include "manage/worker/child_process.h"
#include "manage/worker/worker_log.h"
#include "util/descriptor.h"
#include "util/log.h"

namespace pensieve::manage {

// The reason of the error that tells an owner of an end that it asked for, by destroying the link.
inline constexpr std::string_view kUnloading = "model_unloading";

// Called on the link's thread, without locks. Must return quickly.
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;
  // `bytes`: of its frame. An error means that the worker broke the protocol: it is killed.
  virtual Result<> receive(wire::ToGateway message, std::size_t bytes) = 0;
  // The worker is gone (or never started); once, and nothing is received after it.
  virtual void ended(const Error& why) = 0;
};

struct LinkOptions {
  Launch launch;
  std::string model;                           // for the log
  std::chrono::milliseconds silence{10'000};   // without any message for so long, the worker is killed
  util::LogLevel life = util::LogLevel::info;  // of the lines about its start and its expected end
};

// Thread rule: any thread may send and post; nothing waits for the worker. The destructor ends the worker,
// tells the owner, runs what is posted and joins; it must not run on the link's own thread.
class Link {
 public:
  // `owner` and `log` must outlive the link. The process is started by the link's thread; that it could not
  // be is told by LinkOwner::ended.
  Link(LinkOptions options, LinkOwner& owner, util::Log& log);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link();

  // An error when the worker is gone (why), the message is too large, or too much is waiting to be sent.
  Result<> send(const wire::ToWorker& message);
  // Runs `work` on the link's thread, whether the worker lives or not.
  void post(std::function<void()> work);

 private:
  using Clock = std::chrono::steady_clock;

  void run();
  void serve(ChildProcess& child);
  bool turn(ChildProcess& child);  // false: the worker is gone or must go
  bool read_messages(ChildProcess& child, std::size_t most);
  Result<> take_frames();
  bool write_messages(ChildProcess& child);
  bool read_output(ChildProcess& child);  // false: nothing more for now
  void bury(ChildProcess& child);
  void tell_owner(const Error& why);
  void spawn_and_serve();
  void run_posted();
  bool stopping();
  void wake();

  const LinkOptions options_;
  LinkOwner& owner_;
  util::Log& log_;
  const util::Descriptor wake_;  // eventfd

  std::mutex mutex_;
  std::string unsent_;                         // guarded by mutex_
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
  std::optional<Error> gone_;                  // guarded by mutex_: the worker takes no more messages
  bool stop_ = false;                          // guarded by mutex_

  // The link's thread only.
  std::string sending_;
  std::size_t sent_ = 0;
  wire::FrameBuffer frames_;
  Clock::time_point heard_{};
  std::optional<Error> fault_;  // why the worker must be killed
  bool told_ = false;           // the owner, of the end
  std::optional<WorkerLog> lines_;
  std::thread thread_;  // last: starts when the rest stands
};

}  // namespace pensieve::manage
