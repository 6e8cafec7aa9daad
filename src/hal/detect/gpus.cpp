// A child process asks the driver and writes lines to a pipe: "gpu BYTES NAME" or "none REASON". It may die
// or hang.
#include "hal/detect/gpus.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "hal/detect/gpu_drivers.h"

namespace pensieve::hal {
namespace {

using Ask = GpuSearch(const std::string& library);
constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kLongestAnswer = 64 * 1024;

[[noreturn]] void answer_and_leave(Ask* ask, const std::string& library, int pipe) {
  const int nowhere = open("/dev/null", O_WRONLY);
  if (nowhere >= 0) {  // drivers chatter
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
  }
  const GpuSearch search = ask(library);
  std::string text;
  for (const Gpu& gpu : search.found) text += fmt::format("gpu {} {}\n", gpu.memory, gpu.name);
  if (search.found.empty()) text += fmt::format("none {}\n", search.absence);
  const ssize_t written = write(pipe, text.data(), text.size());
  _exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
}

// Reads to the end of the pipe; false when patience ran out first.
bool read_all(int pipe, std::string& text) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (text.size() < kLongestAnswer) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd wanted{pipe, POLLIN, 0};
    const int ready = left.count() > 0 ? poll(&wanted, 1, static_cast<int>(left.count())) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    char bytes[4096];
    const ssize_t size = read(pipe, bytes, sizeof bytes);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return true;
    text.append(bytes, static_cast<std::size_t>(size));
  }
  return true;
}

void parse(const std::string& text, GpuSearch& search) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("none ")) search.absence = line.substr(5);
    if (!line.starts_with("gpu ")) continue;
    char* name = nullptr;
    const std::size_t memory = std::strtoull(line.c_str() + 4, &name, 10);
    search.found.push_back({*name == ' ' ? name + 1 : name, memory});
  }
}

GpuSearch search_in_child(const char* driver, const std::string& library, Ask* ask) {
  GpuSearch search{driver, {}, {}};
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    search.absence = fmt::format("cannot look: no pipe ({})", std::strerror(errno));
    return search;
  }
  const pid_t child = fork();
  if (child == 0) answer_and_leave(ask, library, ends[1]);
  const int fork_error = errno;
  close(ends[1]);
  std::string text;
  const bool answered = child > 0 && read_all(ends[0], text);
  close(ends[0]);
  if (child < 0) {
    search.absence = fmt::format("cannot look: no child process ({})", std::strerror(fork_error));
    return search;
  }
  if (!answered) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  parse(text, search);
  if (!search.found.empty() || !search.absence.empty()) return search;
  search.absence = answered ? fmt::format("{} crashed when asked (status {})", library, status)
                            : fmt::format("{} did not answer within {} s", library, kPatience.count());
  return search;
}

}  // namespace

GpuSearch find_cuda_gpus(const std::string& library) {
  return search_in_child("NVIDIA driver", library, &ask_cuda_driver);
}

GpuSearch find_opencl_gpus(const std::string& library) {
  return search_in_child("OpenCL", library, &ask_opencl_loader);
}

}  // namespace pensieve::hal
