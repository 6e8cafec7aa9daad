// signalfd with the signals blocked for the whole process.
#include "tools/interrupts.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tools/verb.h"

namespace pensieve::tools {

Interrupts::Interrupts(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  descriptor_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

Interrupts::~Interrupts() {
  close(descriptor_);
}

bool Interrupts::pending() {
  signalfd_siginfo info{};
  return read(descriptor_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info));
}

int Interrupts::wait() {
  for (;;) {
    pollfd watched{descriptor_, POLLIN, 0};
    poll(&watched, 1, -1);
    signalfd_siginfo info{};
    if (read(descriptor_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info)))
      return static_cast<int>(info.ssi_signo);
  }
}

std::optional<int> Interrupts::wait_signal_or(int descriptor) {
  for (;;) {
    pollfd watched[2] = {{descriptor, POLLIN, 0}, {descriptor_, POLLIN, 0}};
    if (poll(watched, 2, -1) < 0) continue;
    signalfd_siginfo info{};
    if (read(descriptor_, &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info)))
      return static_cast<int>(info.ssi_signo);
    if (watched[0].revents != 0) return std::nullopt;
  }
}

bool Interrupts::wait_readable(int descriptor) {
  for (;;) {
    pollfd watched[2] = {{descriptor, POLLIN, 0}, {descriptor_, POLLIN, 0}};
    if (poll(watched, 2, -1) < 0) continue;
    if ((watched[1].revents & POLLIN) != 0 && pending()) return false;
    if (watched[0].revents != 0) return true;
  }
}

LastInterrupt::LastInterrupt(Interrupts& interrupts)
    : over_(eventfd(0, EFD_CLOEXEC)), watch_([this, &interrupts] {
        if (!interrupts.wait_readable(over_)) std::_Exit(kInterrupted);
      }) {}

LastInterrupt::~LastInterrupt() {
  eventfd_write(over_, 1);
  watch_.join();
  close(over_);
}

}  // namespace pensieve::tools
