// The evaluator's guards: each changes one piece of its state and puts it back, whatever happens in between.
#pragma once

#include "model/chat/jinja/evaluator.h"

namespace pensieve::model::jinja {

// A scope inside `parent` for as long as the frame lives.
class Evaluator::ScopeFrame {
 public:
  ScopeFrame(Evaluator& evaluator, std::shared_ptr<Scope> parent)
      : evaluator_(evaluator), previous_(std::move(evaluator.scope_)) {
    evaluator_.scope_ = std::make_shared<Scope>();
    evaluator_.scope_->parent = parent ? std::move(parent) : previous_;
  }
  explicit ScopeFrame(Evaluator& evaluator) : ScopeFrame(evaluator, nullptr) {}
  ~ScopeFrame() { evaluator_.scope_ = std::move(previous_); }
  ScopeFrame(const ScopeFrame&) = delete;
  ScopeFrame& operator=(const ScopeFrame&) = delete;

  // An empty scope again, for the next round of a loop.
  void renew() {
    if (!evaluator_.scope_->kept) {
      evaluator_.scope_->variables.clear();
      return;
    }
    auto fresh = std::make_shared<Scope>();
    fresh->parent = evaluator_.scope_->parent;
    evaluator_.scope_ = std::move(fresh);
  }

 private:
  Evaluator& evaluator_;
  std::shared_ptr<Scope> previous_;
};

// Output goes to a text of its own.
class Evaluator::SinkFrame {
 public:
  explicit SinkFrame(Evaluator& evaluator)
      : evaluator_(evaluator),
        sink_(evaluator.budget_, evaluator.options_.output_bytes),
        previous_(evaluator.sink_) {
    evaluator_.sink_ = &sink_;
  }
  ~SinkFrame() { evaluator_.sink_ = previous_; }
  SinkFrame(const SinkFrame&) = delete;
  SinkFrame& operator=(const SinkFrame&) = delete;
  Text finish() { return std::move(sink_).finish(); }

 private:
  Evaluator& evaluator_;
  TextBuilder sink_;
  TextBuilder* previous_;
};

// Counts nested evaluations: what bounds the use of the stack.
class Evaluator::Depth {
 public:
  static constexpr std::uint32_t kMost = 1000;
  explicit Depth(Evaluator& evaluator) : depth_(evaluator.depth_) {
    if (depth_ >= kMost) fail_budget("the template recurses too deep; it was stopped");
    ++depth_;
  }
  ~Depth() { --depth_; }
  Depth(const Depth&) = delete;
  Depth& operator=(const Depth&) = delete;

 private:
  std::uint32_t& depth_;
};

}  // namespace pensieve::model::jinja
