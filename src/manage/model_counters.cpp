// Histograms of atomics, and the sink that feeds them on its way to the receiver.
#include "manage/model_counters.h"

#include <algorithm>
#include <map>
#include <utility>

namespace pensieve::manage {
namespace {

using std::chrono::steady_clock;
constexpr auto kOrder = std::memory_order_relaxed;

void add_counters(InferenceStats& sum, const InferenceStats& more) {
  sum.prompt_tokens += more.prompt_tokens;
  sum.cached_tokens += more.cached_tokens;
  sum.generated_tokens += more.generated_tokens;
  sum.finished += more.finished;
  sum.cancelled += more.cancelled;
  sum.failed += more.failed;
  sum.steps += more.steps;
}

}  // namespace

void LatencyHistogram::add(std::chrono::nanoseconds time, std::uint64_t times) {
  const double seconds = std::chrono::duration<double>(time).count();
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), seconds) - bounds_.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(times, kOrder);
  nanoseconds_.fetch_add(static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0)) * times, kOrder);
}

HistogramReading LatencyHistogram::read() const {
  HistogramReading reading;
  reading.bounds.assign(bounds_.begin(), bounds_.end());
  for (std::size_t i = 0; i <= bounds_.size(); ++i) reading.counts.push_back(counts_[i].load(kOrder));
  reading.sum = static_cast<double>(nanoseconds_.load(kOrder)) * 1e-9;
  return reading;
}

// Times the events of one generation as they leave the model.
class ObservedSink final : public ReplySink {
 public:
  ObservedSink(std::shared_ptr<ModelCounters> counters, std::unique_ptr<ReplySink> sink)
      : counters_(std::move(counters)), sink_(std::move(sink)) {}

  void on_event(ReplyEvent event) override {
    const steady_clock::time_point now = steady_clock::now();
    if (const auto* text = std::get_if<TextDelta>(&event.what)) {
      count_tokens(event.choice, std::max(text->tokens, 1), now);
    } else if (std::holds_alternative<ToolCallDelta>(event.what)) {
      count_tokens(event.choice, 1, now);
    } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
      counters_->end(finished->reason);
      if (finished->reason != FinishReason::cancelled) {
        counters_->whole_.add(now - begun_);
        counters_->queue_.add(
            std::chrono::nanoseconds(static_cast<std::int64_t>(finished->timings.queue * 1e6)));
      }
    } else if (std::holds_alternative<Failed>(event.what)) {
      counters_->failed_.fetch_add(1, kOrder);
    }
    sink_->on_event(std::move(event));
  }

 private:
  void count_tokens(std::int32_t choice, std::int32_t tokens, steady_clock::time_point now) {
    const auto [place, first] = last_.try_emplace(choice, now);
    if (first) {
      counters_->first_token_.add(now - begun_);
      return;
    }
    // Several tokens in one delta came at once to the receiver: each is given its share of the wait.
    counters_->inter_token_.add((now - place->second) / tokens, static_cast<std::uint64_t>(tokens));
    place->second = now;
  }

  std::shared_ptr<ModelCounters> counters_;
  std::unique_ptr<ReplySink> sink_;
  const steady_clock::time_point begun_ = steady_clock::now();
  std::map<std::int32_t, steady_clock::time_point> last_;  // of each choice, its latest token
};

std::unique_ptr<ReplySink> ModelCounters::observe(std::shared_ptr<ModelCounters> counters,
                                                  std::unique_ptr<ReplySink> sink) {
  return std::make_unique<ObservedSink>(std::move(counters), std::move(sink));
}

void ModelCounters::end(FinishReason reason) {
  finished_[static_cast<std::size_t>(reason)].fetch_add(1, kOrder);
}

void ModelCounters::retire(const InferenceStats& stats) {
  const std::lock_guard lock(mutex_);
  add_counters(retired_, stats);
}

CountersReading ModelCounters::read(const InferenceStats& live) const {
  CountersReading reading;
  reading.stats = live;
  {
    const std::lock_guard lock(mutex_);
    add_counters(reading.stats, retired_);
  }
  for (std::size_t i = 0; i < kFinishReasons; ++i) reading.finished[i] = finished_[i].load(kOrder);
  reading.failed = failed_.load(kOrder);
  reading.loads = loads_.load(kOrder);
  reading.crashes = crashes_.load(kOrder);
  reading.restarts = restarts_.load(kOrder);
  reading.first_token = first_token_.read();
  reading.inter_token = inter_token_.read();
  reading.whole = whole_.read();
  reading.queue = queue_.read();
  return reading;
}

}  // namespace pensieve::manage
