// From events to log lines.
#include "manage/logged_sink.h"

#include <utility>

namespace pensieve::manage {
namespace {

using util::LogLevel;

std::string_view word_of(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::tool_calls:
      return "tool_calls";
    case FinishReason::cancelled:
      return "cancelled";
  }
  return "?";
}

LogLevel level_of(const Error& error) {
  const bool ours = error.code == Error::Code::internal || error.code == Error::Code::io;
  return ours ? LogLevel::error : LogLevel::info;
}

class LoggedSink final : public ReplySink {
 public:
  LoggedSink(std::unique_ptr<ReplySink> sink, util::Log& log, std::string model, std::string request_id)
      : sink_(std::move(sink)), log_(log), model_(std::move(model)), request_id_(std::move(request_id)) {}

  void on_event(ReplyEvent event) override {
    if (const auto* started = std::get_if<Started>(&event.what)) {
      write(event.choice, *started);
    } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
      write(event.choice, *finished);
    } else if (const auto* failed = std::get_if<Failed>(&event.what)) {
      write(*failed);
    }
    if (sink_) sink_->on_event(std::move(event));
  }

 private:
  void write(std::int32_t choice, const Started& started) {
    log_.write(LogLevel::debug, "generation_started",
               {{"id", request_id_},
                {"model", model_},
                {"choice", std::int64_t{choice}},
                {"prompt_tokens", started.prompt_tokens},
                {"cached_tokens", started.cached_tokens}});
  }
  void write(std::int32_t choice, const Finished& finished) {
    log_.write(LogLevel::info, "generation_finished",
               {{"id", request_id_},
                {"model", model_},
                {"choice", std::int64_t{choice}},
                {"reason", word_of(finished.reason)},
                {"prompt_tokens", finished.usage.prompt_tokens},
                {"cached_tokens", finished.usage.cached_tokens},
                {"completion_tokens", finished.usage.completion_tokens},
                {"queue_ms", finished.timings.queue},
                {"prompt_ms", finished.timings.prompt},
                {"predict_ms", finished.timings.predict}});
  }
  void write(const Failed& failed) {
    log_.write(level_of(failed.error), "generation_failed",
               {{"id", request_id_},
                {"model", model_},
                {"reason", failed.error.reason},
                {"problem", failed.error.what}});
  }

  std::unique_ptr<ReplySink> sink_;
  util::Log& log_;
  std::string model_, request_id_;
};

}  // namespace

std::unique_ptr<ReplySink> logged_sink(std::unique_ptr<ReplySink> sink, util::Log& log, std::string model,
                                       std::string request_id) {
  return std::make_unique<LoggedSink>(std::move(sink), log, std::move(model), std::move(request_id));
}

}  // namespace pensieve::manage
