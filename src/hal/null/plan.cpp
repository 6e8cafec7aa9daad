// NullPlan: the rows' tokens are looked up at submit, since the batch is only borrowed; wait hands them out.
// Not for state: pages have no bytes, so copies, saves and restores have nothing to do.
#include "hal/null/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

namespace pensieve::hal {
namespace {

// Thread rule: as Plan.
class NullPlan final : public Plan {
 public:
  NullPlan(NullScript script, std::int64_t vocabulary)
      : script_(std::move(script)), vocabulary_(vocabulary) {}

  Result<> submit(const Batch& batch, std::span<Buffer* const>, std::span<Buffer* const>) override {
    tokens_.clear();
    bool wants_logits = !script_.draws_tokens;
    for (const std::int32_t row : batch.output_rows) {
      const auto at = static_cast<std::size_t>(row);
      tokens_.push_back(script_.next(batch.tokens[at], batch.positions[at], vocabulary_));
    }
    for (const Draw& draw : batch.draws) wants_logits = wants_logits || draw.wants_logits;
    logits_.clear();
    if (wants_logits) fill_logits();
    return {};
  }

  Result<StepOutput> wait() override {
    if (steps_++ == script_.failing_step) {
      return fail(Error::Code::io, fmt::format("the null backend was told to fail in step {}", steps_ - 1));
    }
    if (!script_.draws_tokens) return StepOutput{logits_, {}};
    return StepOutput{logits_, tokens_};
  }

  Result<> copy_state(std::span<const StateCopy>) override { return {}; }
  std::size_t page_bytes(std::uint32_t) const override { return 0; }
  Result<> save_page(std::uint32_t, std::int32_t, std::span<std::byte>) override { return {}; }
  Result<> restore_page(std::uint32_t, std::int32_t, std::span<const std::byte>) override { return {}; }
  MemoryEstimate memory() const override { return {0, 0, logits_.capacity() * sizeof(float)}; }

 private:
  void fill_logits() {
    logits_.reserve(tokens_.size() * static_cast<std::size_t>(vocabulary_));
    for (const std::int32_t token : tokens_) {
      for (std::int64_t other = 0; other < vocabulary_; ++other) {
        const std::int64_t apart = std::abs(other - token);
        logits_.push_back(std::max(-0.5F * static_cast<float>(std::min(apart, vocabulary_ - apart)), -40.0F));
      }
    }
  }

  NullScript script_;
  std::int64_t vocabulary_;
  std::int64_t steps_ = 0;
  std::vector<std::int32_t> tokens_;  // [output rows]
  std::vector<float> logits_;         // [output rows, vocabulary] or empty
};

}  // namespace

std::unique_ptr<Plan> make_null_plan(NullScript script, std::int64_t vocabulary) {
  return std::make_unique<NullPlan>(std::move(script), vocabulary);
}

}  // namespace pensieve::hal
