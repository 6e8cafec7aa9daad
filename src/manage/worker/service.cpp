// Reading messages, handing them to the model, and sinks that send what the model says.
#include "manage/worker/service.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <unordered_map>
#include <utility>

#include "manage/local_inference.h"
#include "manage/wire/messages.h"
#include "manage/worker/gateway_channel.h"
#include "model/catalog.h"

namespace pensieve::manage {
namespace {

using util::LogLevel;

// Generations by the gateway's ids.
class Running {
 public:
  bool begin(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    return local_.emplace(id, 0).second;
  }
  // Sinks may have heard the last event before submit answered.
  void began(std::uint64_t id, GenerationId local) {
    const std::lock_guard lock(mutex_);
    if (const auto found = local_.find(id); found != local_.end()) found->second = local;
  }
  void end(std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    local_.erase(id);
  }
  std::optional<GenerationId> local(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    const auto found = local_.find(id);
    return found == local_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, GenerationId> local_;  // guarded by mutex_
};

// Sends the events of one generation, and logs how it ended under its client's id.
class ChannelSink final : public ReplySink {
 public:
  ChannelSink(std::uint64_t id, std::string request_id, GatewayChannel& channel, Running& running,
              util::Log& log)
      : id_(id), request_id_(std::move(request_id)), channel_(channel), running_(running), log_(log) {}
  ~ChannelSink() override { running_.end(id_); }

  void on_event(ReplyEvent event) override {
    if (const auto* finished = std::get_if<Finished>(&event.what)) {
      log_finished(event.choice, *finished);
      channel_.send_stats();  // before the end, so that who reads counters after an answer finds it counted
    } else if (const auto* failed = std::get_if<Failed>(&event.what)) {
      log_.write(LogLevel::debug, "generation_failed",
                 {{"id", std::string_view(request_id_)}, {"reason", std::string_view(failed->error.what)}});
      channel_.send_stats();
    } else if (!std::holds_alternative<Started>(event.what) && !std::exchange(flowing_, true)) {
      channel_.send_stats();  // who sees the first text finds the generation among those that run
    }
    if (!channel_.send(wire::Event{id_, std::move(event)})) {
      channel_.send(wire::Event{id_,
                                {0, Failed{Error{Error::Code::exhausted,
                                                 "one event of the answer is too large to be passed on",
                                                 "",
                                                 "event_too_large",
                                                 {}}}}});
    }
  }

 private:
  void log_finished(std::int32_t choice, const Finished& finished) {
    log_.write(LogLevel::debug, "generation_finished",
               {{"id", std::string_view(request_id_)},
                {"choice", static_cast<std::int64_t>(choice)},
                {"prompt_tokens", finished.usage.prompt_tokens},
                {"cached_tokens", finished.usage.cached_tokens},
                {"completion_tokens", finished.usage.completion_tokens},
                {"queue_ms", finished.timings.queue},
                {"prompt_ms", finished.timings.prompt},
                {"predict_ms", finished.timings.predict}});
  }

  const std::uint64_t id_;
  const std::string request_id_;
  GatewayChannel& channel_;
  Running& running_;
  util::Log& log_;
  bool flowing_ = false;  // text or calls have begun
};

// One message after the other, from a blocking socket.
class MessageReader {
 public:
  explicit MessageReader(int socket) : socket_(socket) {}

  // Nothing at the end of the stream.
  Result<std::optional<wire::ToWorker>> next() {
    for (;;) {
      Result<std::optional<std::string_view>> frame = frames_.next();
      if (!frame) return tl::unexpected(std::move(frame.error()));
      if (*frame) return wire::read_to_worker(**frame);
      constexpr std::size_t kAtOnce = std::size_t{64} << 10;
      const ssize_t got = read(socket_, frames_.room(kAtOnce), kAtOnce);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return std::nullopt;
      frames_.filled(static_cast<std::size_t>(got));
    }
  }

 private:
  const int socket_;
  wire::FrameBuffer frames_;
};

// Hands the gateway's messages to the loaded model.
class Service {
 public:
  Service(Inference& model, GatewayChannel& channel, util::Log& log)
      : model_(model), channel_(channel), log_(log) {}

  Result<> operator()(wire::Submit& submit) {
    if (!running_.begin(submit.id)) return fail(Error::Code::invalid, "two requests with one id");
    auto sink = std::make_unique<ChannelSink>(submit.id, submit.request.request_id, channel_, running_, log_);
    running_.began(submit.id, model_.submit(std::move(submit.request), std::move(sink)));
    return {};
  }
  Result<> operator()(wire::Cancel& cancel) {
    if (const auto local = running_.local(cancel.id)) model_.cancel(*local);
    return {};
  }
  Result<> operator()(wire::Render& render) {
    model_.render(std::move(render.request), answer<std::string>(render.id));
    return {};
  }
  Result<> operator()(wire::Count& count) {
    model_.count(std::move(count.request), answer<std::int64_t>(count.id));
    return {};
  }
  Result<> operator()(wire::Tokenize& tokenize) {
    model_.tokenize(std::move(tokenize.text), tokenize.options, answer<TokenizedText>(tokenize.id));
    return {};
  }
  Result<> operator()(wire::Detokenize& detokenize) {
    model_.detokenize(std::move(detokenize.tokens), answer<std::string>(detokenize.id));
    return {};
  }
  Result<> operator()(wire::Embed& embed) {
    model_.embed(std::move(embed.request), answer<Embeddings>(embed.id));
    return {};
  }
  template <class Other>
  Result<> operator()(Other&) {
    return fail(Error::Code::invalid, "a message that only comes first");
  }

 private:
  template <class T>
  Inference::Done<T> answer(std::uint64_t id) {
    return [id, &channel = channel_](Result<T> result) {
      wire::Answer message{id, {}};
      if (result) {
        message.value = std::move(*result);
      } else {
        message.value = std::move(result.error());
      }
      if (channel.send(message)) return;
      channel.send(wire::Answer{id, Error{Error::Code::exhausted,
                                          "the answer is too large to be passed on; ask for less",
                                          "",
                                          "answer_too_large",
                                          {}}});
    };
  }

  Inference& model_;
  GatewayChannel& channel_;
  util::Log& log_;
  Running running_;
};

ServiceEnd nonsense(util::Log& log, const Error& error) {
  log.write(LogLevel::error, "gateway_misbehaved", {{"reason", std::string_view(error.what)}});
  return ServiceEnd::nonsense;
}

Result<std::unique_ptr<LocalInference>> load(const wire::Load& order, util::Log& log) {
  try {
    return LocalInference::load(order.path, order.name, order.hardware, order.engine, log, order.budget);
  } catch (const std::bad_alloc&) {
    return fail(Error::Code::exhausted,
                fmt::format("model '{}' does not fit: out of memory while loading", order.name), "model",
                "out_of_memory");
  } catch (const std::exception& problem) {
    return fail(Error::Code::internal,
                fmt::format("loading model '{}' failed: {}", order.name, problem.what()), "model");
  }
}

ServiceEnd serve_model(const wire::Load& order, MessageReader& reader, int socket, util::Log& log) {
  std::unique_ptr<LocalInference> model;  // outlives the channel, which reads its counters
  GatewayChannel channel(socket, true);
  Result<std::unique_ptr<LocalInference>> loaded = load(order, log);
  if (!loaded) {
    channel.send(wire::LoadFailed{std::move(loaded.error())});
    return ServiceEnd::asked;
  }
  model = std::move(*loaded);
  channel.watch(*model);
  channel.send_stats();
  channel.send(wire::Ready{model->info()});
  Service service(*model, channel, log);
  for (;;) {
    Result<std::optional<wire::ToWorker>> message = reader.next();
    // Ended from here: destroying a model with work under way would finish that first.
    if (!message) _exit(static_cast<int>(nonsense(log, message.error())));
    if (!*message) _exit(static_cast<int>(ServiceEnd::asked));
    if (Result<> done = std::visit(service, **message); !done)
      _exit(static_cast<int>(nonsense(log, done.error())));
  }
}

ServiceEnd examine_files(const wire::Examine& order, int socket) {
  // Not lively: its silence tells of a file that never ends.
  GatewayChannel channel(socket, false);
  for (std::size_t i = 0; i < order.paths.size(); ++i) {
    wire::Examined examined{static_cast<std::uint32_t>(i), model::examine(order.paths[i])};
    if (channel.send(examined)) continue;
    examined.what = {};
    examined.what.problem = "its description is too large";
    examined.what.refusal = Error{Error::Code::invalid, "the file's description is too large", "", "", {}};
    channel.send(examined);
  }
  return ServiceEnd::asked;
}

}  // namespace

ServiceEnd serve_gateway(int socket, util::Log& log) {
  MessageReader reader(socket);
  const Result<std::optional<wire::ToWorker>> first = reader.next();
  if (!first) return nonsense(log, first.error());
  if (!*first) return ServiceEnd::asked;
  if (const auto* order = std::get_if<wire::Load>(&**first)) return serve_model(*order, reader, socket, log);
  if (const auto* order = std::get_if<wire::Examine>(&**first)) return examine_files(*order, socket);
  return nonsense(log, Error{Error::Code::invalid, "the first message is no order", "", "", {}});
}

}  // namespace pensieve::manage
