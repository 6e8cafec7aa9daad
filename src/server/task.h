// Task: a lazily started coroutine with one awaiter, and Signal, which suspends one until something fires it.
// Deliberately tiny and free of the network library: endpoints that include it compile in seconds.
// Thread rule: a task and all it awaits live on one executor; results of other threads come in through
// await_answer.
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "server/executor.h"

namespace pensieve::server {

template <class T = void>
class Task;

namespace detail {

struct FinalAwaiter {
  bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
    std::coroutine_handle<> next = finished.promise().continuation;
    return next ? next : std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

struct PromiseBase {
  std::coroutine_handle<> continuation;
  std::exception_ptr problem;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void unhandled_exception() { problem = std::current_exception(); }
};

template <class T>
struct Promise : PromiseBase {
  std::optional<T> value;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  T take() {
    if (problem) std::rethrow_exception(problem);
    return std::move(*value);
  }
};

template <>
struct Promise<void> : PromiseBase {
  Task<void> get_return_object();
  void return_void() const noexcept {}
  void take() const {
    if (problem) std::rethrow_exception(problem);
  }
};

}  // namespace detail

template <class T>
class [[nodiscard]] Task {
 public:
  using promise_type = detail::Promise<T>;
  using Handle = std::coroutine_handle<promise_type>;

  Task() = default;
  explicit Task(Handle handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      if (handle_) handle_.destroy();
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  // For the outermost task only; inner ones are awaited.
  void start() { handle_.resume(); }
  bool done() const { return !handle_ || handle_.done(); }
  void rethrow() { handle_.promise().take(); }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
    handle_.promise().continuation = awaiting;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

 private:
  Handle handle_;
};

namespace detail {
template <class T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}
}  // namespace detail

// Wakes at most one waiting coroutine. Nothing is remembered: await it in a loop over the condition that it
// announces.
class Signal {
 public:
  struct Awaiter {
    Signal& signal;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { signal.waiter_ = waiter; }
    void await_resume() const noexcept {}
  };
  Awaiter wait() { return Awaiter{*this}; }
  void fire() {
    if (waiter_) std::exchange(waiter_, {}).resume();
  }

 private:
  std::coroutine_handle<> waiter_;
};

// Awaits the one value that `start` promises to hand to its callback, on whatever thread and however soon.
template <class T>
Task<T> await_answer(std::shared_ptr<Executor> executor, std::function<void(std::function<void(T)>)> start) {
  struct State {
    std::shared_ptr<Executor>
        executor;  // given up when the answer comes: a posted closure must not own its executor
    std::optional<T> value;
    Signal arrived;
  };
  auto state = std::make_shared<State>();
  state->executor = std::move(executor);
  start([state](T value) {
    const std::shared_ptr<Executor> target = std::move(state->executor);
    if (!target) return;
    state->value.emplace(std::move(value));
    target->post([state] { state->arrived.fire(); });
  });
  // The answer is posted to this very thread, so it cannot arrive between the start and this suspension.
  co_await state->arrived.wait();
  co_return std::move(*state->value);
}

}  // namespace pensieve::server
