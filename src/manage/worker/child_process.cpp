// posix_spawn, pidfd and their failures. No SIGCHLD: that would be a process-wide matter.
#include "manage/worker/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

extern "C" {  // glibc 2.36 does not say so itself
#include <sys/pidfd.h>
}

namespace pensieve::manage {
namespace {

using util::Descriptor;

extern "C" char** environ;

tl::unexpected<Error> refused(const char* what, int number) {
  return fail(Error::Code::unavailable,
              fmt::format("no process could be started for the model: {}: {}; try again later", what,
                          std::strerror(number)),
              "", "worker_not_started");
}

// Above those numbers that the child's ends are given.
Descriptor lifted(int number) {
  constexpr int kLowest = 16;
  const Descriptor low(number);
  return Descriptor(fcntl(number, F_DUPFD_CLOEXEC, kLowest));
}

// Everything about the child that posix_spawn can be told.
class Plan {
 public:
  Plan(int socket, int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, socket, kWorkerSocket);
    // Libraries open descriptors that an exec would pass on: connections of clients among them.
    posix_spawn_file_actions_addclosefrom_np(&actions_, kWorkerSocket + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  int spawn(const Launch& launch, pid_t& pid) const {
    std::string name = "pensieve";
    std::vector<std::string> words = launch.arguments;
    std::vector<char*> arguments{name.data()};
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    return posix_spawn(&pid, launch.program.c_str(), &actions_, &attributes_, arguments.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

bool make_non_blocking(const Descriptor& descriptor) {
  return fcntl(descriptor.number(), F_SETFL, fcntl(descriptor.number(), F_GETFL) | O_NONBLOCK) == 0;
}

}  // namespace

std::string Ending::text() const {
  if (signal != 0) return fmt::format("signal {} ({})", signal, strsignal(signal));
  return fmt::format("exit code {}", status);
}

Result<ChildProcess> ChildProcess::spawn(const Launch& launch) {
  int ends[2];
  ChildProcess child;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return refused("socketpair", errno);
  child.socket = lifted(ends[0]);
  const Descriptor theirs = lifted(ends[1]);
  if (pipe2(ends, O_CLOEXEC) != 0) return refused("pipe", errno);
  child.output = lifted(ends[0]);
  const Descriptor writing = lifted(ends[1]);
  if (!child.socket.open() || !theirs.open() || !child.output.open() || !writing.open())
    return refused("descriptors", errno);
  if (!make_non_blocking(child.socket) || !make_non_blocking(child.output)) return refused("fcntl", errno);
  if (const int problem = Plan(theirs.number(), writing.number()).spawn(launch, child.pid_); problem != 0) {
    child.pid_ = -1;
    return refused("posix_spawn", problem);
  }
  child.ended_ = Descriptor(pidfd_open(child.pid_, 0));
  if (!child.ended_.open()) {
    const int problem = errno;
    ::kill(child.pid_, SIGKILL);  // not yet waited for, so the number is still its own
    waitpid(child.pid_, nullptr, 0);
    return refused("pidfd_open", problem);
  }
  return child;
}

ChildProcess::~ChildProcess() {
  if (!ended_.open()) return;
  kill();
  wait(std::chrono::seconds(30));
}

void ChildProcess::kill() {
  if (ended_.open()) pidfd_send_signal(ended_.number(), SIGKILL, nullptr, 0);
}

std::optional<Ending> ChildProcess::wait(std::chrono::milliseconds patience) {
  if (!ended_.open()) return Ending{};
  pollfd watched{ended_.number(), POLLIN, 0};
  if (poll(&watched, 1, static_cast<int>(patience.count())) <= 0) return std::nullopt;
  siginfo_t info{};
  Ending ending;
  // ECHILD: whoever started us has SIGCHLD ignored, so that ends are not kept.
  if (waitid(P_PIDFD, static_cast<id_t>(ended_.number()), &info, WEXITED) == 0) {
    (info.si_code == CLD_EXITED ? ending.status : ending.signal) = info.si_status;
  }
  ended_.close();
  return ending;
}

void end_with_parent() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGTSTP}) std::signal(signal, SIG_IGN);
  constexpr char kSooner[] = "500";
  const Descriptor score(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  // Where it cannot be written, the kernel's own choice stands.
  [[maybe_unused]] const auto written = write(score.number(), kSooner, sizeof kSooner - 1);
}

}  // namespace pensieve::manage
