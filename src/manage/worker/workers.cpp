// Orders for workers, and the memory of their deaths.
#include "manage/worker/workers.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "manage/process_death.h"
#include "manage/worker/examination.h"
#include "manage/worker/worker_inference.h"

namespace pensieve::manage {

using std::chrono::milliseconds;
using std::chrono::seconds;

void BackOff::died(Clock::time_point now) {
  constexpr milliseconds kFirst{100}, kLongest{30'000};
  constexpr int kDoublings = 9;  // beyond kLongest
  ++deaths_;
  until_ = now + std::min(kLongest, kFirst * (1 << std::min(deaths_ - 1, kDoublings)));
}

milliseconds BackOff::remaining(Clock::time_point now) const {
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(until_ - now));
}

Workers::Workers(const WorkerOptions& options, hal::Options hardware, engine::Options engine, util::Log& log,
                 Launch launch)
    : options_(options),
      hardware_(std::move(hardware)),
      engine_(std::move(engine)),
      log_(log),
      launch_(std::move(launch)) {}

Result<std::unique_ptr<Inference>> Workers::load(const ModelInfo& info, const LoadBudget& budget) {
  constexpr milliseconds kWorthWaiting{1000};
  std::shared_ptr<Record> record;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<Record>& known = records_[info.path];
    if (!known) known = std::make_shared<Record>();
    record = known;
  }
  milliseconds wait{0};
  {
    const std::lock_guard lock(record->mutex);
    wait = record->back_off.remaining(BackOff::Clock::now());
    if (wait > kWorthWaiting) {
      Error error{
          Error::Code::unavailable,
          fmt::format(
              "the process of model '{}' died {} times in a row while loading; it is loaded again in {} s",
              info.name, record->back_off.deaths(), std::chrono::ceil<seconds>(wait).count()),
          "model",
          "worker_restarting",
          {{"retry_after_ms", wait.count()}}};
      return tl::unexpected(std::move(error));
    }
  }
  std::this_thread::sleep_for(wait);

  WorkerOrder order{launch_,
                    {info.path, info.name, hardware_, engine_, budget},
                    seconds(options_.silence_timeout),
                    seconds(options_.stall_timeout),
                    seconds(options_.load_timeout)};
  order.launch.arguments.push_back("model=" + info.name);  // for `ps`
  Result<std::unique_ptr<WorkerInference>> started = WorkerInference::start(std::move(order), log_);
  const std::lock_guard lock(record->mutex);
  if (started) {
    record->back_off.lived();
  } else if (process_died(started.error())) {
    record->back_off.died(BackOff::Clock::now());
  }
  return Result<std::unique_ptr<Inference>>(std::move(started));
}

std::vector<model::Examined> Workers::examine(const std::vector<std::string>& paths) const {
  return examine_apart(launch_, paths, seconds(options_.examine_timeout), log_);
}

}  // namespace pensieve::manage
