// ChildProcess: a process of this program's own executable, joined to its parent by a socket. It ends with
// its parent, gets no other descriptor than those named here, and is in a session of its own, so that Ctrl-C
// in the terminal of the parent does not reach it. What is said over the socket: link.h.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "util/descriptor.h"

namespace pensieve::manage {

inline constexpr int kWorkerSocket = 3;  // the child's end

struct Launch {
  std::string program = "/proc/self/exe";
  std::vector<std::string> arguments{"worker"};  // after the program's name
};

// How a process ended.
struct Ending {
  int signal = 0, status = 0;
  bool clean() const { return signal == 0 && status == 0; }
  std::string text() const;  // "signal 11 (Segmentation fault)", "exit code 3"
};

// Thread rule: one thread, which must live as long as the child does: the kernel kills a child that asked for
// it (end_with_parent) when the thread that started it ends.
class ChildProcess {
 public:
  static Result<ChildProcess> spawn(const Launch& launch);
  ChildProcess(ChildProcess&&) = default;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();  // kills what still runs, and waits for its end

  util::Descriptor socket;  // non-blocking; the parent's end. Closing it asks the child to end
  util::Descriptor output;  // non-blocking; what the child writes to standard output and error
  const util::Descriptor& ended() const { return ended_; }  // readable when the process has ended
  pid_t pid() const { return pid_; }

  void kill();
  // Waits for the end, at most so long; nothing when it still runs.
  std::optional<Ending> wait(std::chrono::milliseconds patience);

 private:
  ChildProcess() = default;
  pid_t pid_ = -1;
  util::Descriptor ended_;  // of the process (pidfd); none once its end was taken
};

// For the child, first of all: it is killed when its parent ends, is preferred when memory runs out, gains no
// rights by starting programs, leaves no image of its memory (prompts are in it), and ignores the signals
// that stop a server: the parent says when to end, by closing the socket.
void end_with_parent();

}  // namespace pensieve::manage
