// See chat_answer.h.
#include "server/chat_answer.h"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "server/await_result.h"
#include "server/dialects/chat_reply.h"
#include "server/dialects/errors.h"
#include "server/dialects/volatile_lines.h"
#include "server/generation.h"
#include "server/sessions/session_store.h"

namespace pensieve::server {
namespace {

using Turn = std::shared_ptr<SessionTurn>;

// Hands events on and lets the turn, if there is one, keep the answer.
class Recorder final : public GenerationReceiver {
 public:
  Recorder(GenerationReceiver& next, Turn turn) : next_(next), turn_(std::move(turn)) {}
  void begin() override { next_.begin(); }
  void receive(std::size_t generation, ReplyEvent& event) override {
    if (turn_) turn_->record(event);
    next_.receive(generation, event);
  }

 private:
  GenerationReceiver& next_;
  Turn turn_;
};

Task<Result<Turn>> begin_turn(Exchange& exchange, Context& context, Call& call) {
  if (call.session.empty()) co_return Turn();
  if (call.generation.choices != 1) {
    co_return fail(Error::Code::invalid,
                   fmt::format("n is {}; a session goes on with one answer", call.generation.choices), "n");
  }
  std::function<void(SessionStore::Done<Turn>)> start = [&](SessionStore::Done<Turn> done) {
    context.sessions.begin(exchange.request().owner, call.session, std::move(done));
  };
  auto turn = co_await await_result<Turn>(exchange, std::move(start));
  if (!turn) co_return turn;
  if (call.model.empty()) call.model = (*turn)->session().model;
  auto& chat = std::get<ChatRequest>(call.generation.prompt);
  chat.messages = (*turn)->ask(std::move(chat.messages));
  co_return turn;
}

Task<Result<>> keep(Exchange& exchange, Turn turn) {
  using Kept = Result<std::vector<SessionMessage>>;
  if (!turn) co_return Result<>();
  std::function<void(std::function<void(Kept)>)> start = [&](std::function<void(Kept)> done) {
    turn->commit(std::move(done));
  };
  // Not given up when the client leaves: the turn is over, and it is kept whole.
  const auto kept = co_await await_answer<Kept>(exchange.executor(), std::move(start));
  if (!kept) co_return tl::unexpected(kept.error());
  co_return Result<>();
}

}  // namespace

Task<void> answer_chat(Exchange& exchange, Context& context, Result<Call> call) {
  if (!call) co_return reply_error(exchange, call.error());
  log_unknown(context, exchange.request().id, call->unknown);
  tell_inert(exchange, *call);
  const auto turn = co_await begin_turn(exchange, context, *call);
  if (!turn) co_return reply_error(exchange, turn.error());
  // Who has the answer, whatever it is, may go on with the session.
  const auto refuse = [&](const Error& error) {
    if (*turn) (*turn)->release();
    reply_error(exchange, error);
  };
  steady_lines(context.options->volatile_line, call->generation);
  const auto model = co_await acquire_model(exchange, context, call->model);
  if (!model) co_return refuse(model.error());
  const ModelInfo& info = (*model)->info();
  if (const auto fit = fit_to_model(info, *call); !fit) co_return refuse(fit.error());
  if (const auto kept = keep_model(context, info, *call); !kept) co_return refuse(kept.error());

  call->generation.request_id = exchange.request().id;
  ReplyHead head = make_reply_head("chatcmpl-", info.name);
  head.session_id = call->session;
  std::vector<GenerationRequest> requests;
  ChatDocument document(*call, head);
  ChatStream stream(*call, std::move(head), exchange);
  requests.push_back(std::move(call->generation));
  Recorder receiver(call->stream ? static_cast<GenerationReceiver&>(stream) : document, *turn);
  auto outcome = co_await run_generations(exchange, **model, std::move(requests), receiver);
  const Usage& usage = call->stream ? stream.usage() : document.usage();
  exchange.count_tokens(usage.prompt_tokens, usage.completion_tokens);
  if (outcome) outcome = co_await keep(exchange, *turn);
  if (!outcome) co_return refuse(outcome.error());
  if (call->stream) {
    stream.finish();
  } else {
    exchange.reply(200, "application/json", document.text());
  }
}

}  // namespace pensieve::server
