// Ctrl-C and termination as something to ask about, not a handler that runs in between: no global state.
#pragma once

#include <initializer_list>
#include <optional>
#include <thread>

namespace pensieve::tools {

// Create before any other thread: from then on the signals reach nobody else. Thread rule: one thread.
class Interrupts {
 public:
  explicit Interrupts(std::initializer_list<int> signals);
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;
  ~Interrupts();

  int wait();      // blocks until one arrives; its number
  bool pending();  // takes one when there is one
  // Blocks until `descriptor` can be read (true) or a signal arrives (false; it is taken).
  bool wait_readable(int descriptor);
  // Blocks until a signal arrives (its number; it is taken) or `descriptor` can be read (nothing). A negative
  // descriptor is not looked at.
  std::optional<int> wait_signal_or(int descriptor);

 private:
  int descriptor_;
};

// From its creation to its end the next interrupt ends the program at once, with exit code 130: for a way out
// while things are taken apart. Nobody else may ask `interrupts` meanwhile.
class LastInterrupt {
 public:
  explicit LastInterrupt(Interrupts& interrupts);
  LastInterrupt(const LastInterrupt&) = delete;
  LastInterrupt& operator=(const LastInterrupt&) = delete;
  ~LastInterrupt();

 private:
  int over_;  // an eventfd: readable when the watch is over
  std::thread watch_;
};

}  // namespace pensieve::tools
