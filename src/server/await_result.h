// await_result: waits for the answer of a model, a pool or a store on behalf of an exchange, and stops
// waiting when the client leaves or the server stops. Not for streams of events: generation.h.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "core/result.h"
#include "server/exchange.h"
#include "server/task.h"

namespace pensieve::server {

// Why an exchange ends without its answer.
Error cancel_error(Cancelled why);

// `start` hands its callback exactly one result, on whatever thread and however late; a late one is dropped.
template <class T>
Task<Result<T>> await_result(Exchange& exchange, std::function<void(std::function<void(Result<T>)>)> start) {
  struct State {
    std::shared_ptr<Executor> executor;  // the callback's: given up when the answer comes
    std::optional<Result<T>> value;      // the executor's thread only
    Signal changed;
  };
  if (exchange.cancelled() != Cancelled::no) co_return tl::unexpected(cancel_error(exchange.cancelled()));
  auto state = std::make_shared<State>();
  state->executor = exchange.executor();
  exchange.on_cancel([state] { state->changed.fire(); });
  start([state](Result<T> value) {
    const std::shared_ptr<Executor> target = std::move(state->executor);
    if (!target) return;
    auto carried = std::make_shared<Result<T>>(std::move(value));
    target->post([state, carried] {
      state->value.emplace(std::move(*carried));
      state->changed.fire();
    });
  });
  while (!state->value && exchange.cancelled() == Cancelled::no) co_await state->changed.wait();
  exchange.on_cancel(nullptr);
  if (!state->value) co_return tl::unexpected(cancel_error(exchange.cancelled()));
  co_return std::move(*state->value);
}

}  // namespace pensieve::server
