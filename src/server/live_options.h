// LiveOptions: the server's options as they are now. A reload puts others in their place; whoever looks gets
// a whole set, never a mixture. Not a check: what is put here was found good before.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "server/options.h"

namespace pensieve::server {

// Thread rule: any thread.
class LiveOptions {
 public:
  explicit LiveOptions(Options options) : now_(std::make_shared<const Options>(std::move(options))) {}
  LiveOptions(const LiveOptions&) = delete;
  LiveOptions& operator=(const LiveOptions&) = delete;

  std::shared_ptr<const Options> now() const {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  // For one look: the set lives to the end of the expression.
  std::shared_ptr<const Options> operator->() const { return now(); }
  void replace(Options options) {
    auto next = std::make_shared<const Options>(std::move(options));
    const std::lock_guard lock(mutex_);
    now_.swap(next);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Options> now_;  // guarded by mutex_
};

}  // namespace pensieve::server
