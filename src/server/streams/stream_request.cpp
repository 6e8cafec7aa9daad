// See stream_request.h.
#include "server/streams/stream_request.h"

#include <fmt/format.h>

#include <utility>

#include "server/dialects/chat_request.h"
#include "server/dialects/completion_request.h"
#include "server/dialects/stream_json.h"
#include "server/dialects/volatile_lines.h"
#include "server/generation.h"
#include "server/sessions/session_store.h"

namespace pensieve::server {
namespace {

Result<> check_stream(const Call& call) {
  const GenerationRequest& generation = call.generation;
  if (generation.choices != 1) {
    return fail(Error::Code::invalid,
                fmt::format("n is {}; a stream of events has one answer: start several", generation.choices),
                "n");
  }
  if (call.timings_per_token) {
    return fail(Error::Code::unsupported, "timings_per_token: events carry no timings; ask over HTTP",
                "timings_per_token");
  }
  if (generation.top_logprobs >= 0) {
    return fail(Error::Code::unsupported, "logprobs: events carry no log-probabilities; ask over HTTP",
                "logprobs");
  }
  return {};
}

// A generation on its way to its model.
struct Asked {
  Context& context;
  const std::shared_ptr<Executor> executor;
  const OpenStreams::Stream stream;
  Call call;
};

void submit(Asked& asked, const Result<std::shared_ptr<Inference>>& model) {
  GenerationStream& stream = *asked.stream;
  if (!model) return stream.refuse(model.error());
  if (auto fit = fit_to_model((*model)->info(), asked.call); !fit)
    return stream.refuse(std::move(fit.error()));
  if (auto kept = keep_model(asked.context, (*model)->info(), asked.call); !kept)
    return stream.refuse(std::move(kept.error()));
  if (const auto* tokens = std::get_if<std::vector<std::int32_t>>(&asked.call.generation.prompt)) {
    if (auto known = check_tokens(*tokens, (*model)->info(), "prompt"); !known)
      return stream.refuse(std::move(known.error()));
  }
  stream.submit(*model, std::move(asked.call.generation));
}

void find_model(const std::shared_ptr<Asked>& asked) {
  steady_lines(asked->context.options->volatile_line, asked->call.generation);
  asked->context.services.models.acquire(asked->call.model, [asked](auto model) {
    asked->executor->post([asked, model = std::move(model)] { submit(*asked, model); });
  });
}

void take_turn(const std::shared_ptr<Asked>& asked, std::shared_ptr<SessionTurn> turn) {
  Call& call = asked->call;
  if (call.model.empty()) call.model = turn->session().model;
  asked->stream->name_model(call.model);
  auto& chat = std::get<ChatRequest>(call.generation.prompt);
  chat.messages = turn->ask(std::move(chat.messages));
  asked->stream->hold(std::move(turn));
  find_model(asked);
}

void begin_turn(const std::shared_ptr<Asked>& asked) {
  using Turn = Result<std::shared_ptr<SessionTurn>>;
  asked->context.sessions.begin(asked->stream->owner(), asked->call.session, [asked](Turn turn) {
    const auto carried = std::make_shared<Turn>(std::move(turn));
    asked->executor->post([asked, carried] {
      if (!*carried) return asked->stream->refuse(carried->error());
      if (!asked->stream->ended()) take_turn(asked, std::move(**carried));
    });
  });
}

}  // namespace

Result<Call> read_stream_chat(const Json& body) {
  auto call = read_chat_call(body);
  if (!call) return call;
  if (auto checked = check_stream(*call); !checked) return tl::unexpected(std::move(checked.error()));
  return call;
}

Result<Call> read_stream_completion(const Json& body) {
  auto completion = read_completion_call(body);
  if (!completion) return tl::unexpected(std::move(completion.error()));
  if (auto checked = check_stream(completion->call); !checked)
    return tl::unexpected(std::move(checked.error()));
  if (completion->prompts.size() != 1)
    return fail(Error::Code::invalid, "prompt: a stream of events has one prompt", "prompt");
  if (completion->echo) return fail(Error::Code::unsupported, "echo: events carry the answer only", "echo");
  std::visit([&](auto& prompt) { completion->call.generation.prompt = std::move(prompt); },
             completion->prompts.front());
  return std::move(completion->call);
}

void start_stream(Context& context, std::shared_ptr<Executor> executor, OpenStreams::Stream stream,
                  Result<Call> call, std::string request_id) {
  if (!call) return stream->refuse(std::move(call.error()));
  if (context.draining) return stream->refuse(server_stops());
  log_unknown(context, request_id, call->unknown);
  stream->name_model(call->model);
  call->generation.request_id = std::move(request_id);
  const bool turn = !call->session.empty();
  const std::shared_ptr<Asked> asked(
      new Asked{context, std::move(executor), std::move(stream), std::move(*call)});
  turn ? begin_turn(asked) : find_model(asked);
}

void log_stream(const Context& context, std::string_view transport, std::string_view request_id,
                const StreamEvent& last) {
  util::Log& log = context.services.log;
  if (!log.enabled(util::LogLevel::info)) return;
  const auto* done = std::get_if<StreamDone>(&last.what);
  const auto* error = std::get_if<Error>(&last.what);
  const Usage usage = done != nullptr ? done->usage : Usage{};
  log.write(util::LogLevel::info, "generation",
            {{"id", request_id},
             {"transport", transport},
             {"end", done != nullptr ? stream_finish_name(done->reason) : std::string_view("error")},
             {"problem", error != nullptr ? std::string_view(error->reason) : std::string_view()},
             {"tokens", usage.prompt_tokens + usage.completion_tokens}});
}

}  // namespace pensieve::server
