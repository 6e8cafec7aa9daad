// POST /v1/sessions: a conversation that the server is to keep.
#include "server/await_result.h"
#include "server/chat_answer.h"
#include "server/dialects/errors.h"
#include "server/dialects/session_json.h"
#include "server/endpoint.h"
#include "server/generation.h"
#include "server/sessions/session_store.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/sessions", "/sessions"};

// The name under which the server knows the model; an empty one means its only model.
Task<Result<std::string>> model_name(Exchange& exchange, Context& context, std::string name) {
  if (!name.empty()) {
    const auto known = context.services.models.find(name);
    if (!known) co_return tl::unexpected(known.error());
    co_return known->info.name;
  }
  const auto model = co_await acquire_model(exchange, context, std::move(name));
  if (!model) co_return tl::unexpected(model.error());
  co_return (*model)->info().name;
}

Task<void> handle(Exchange& exchange, Context& context) {
  auto made =
      parse_body(exchange.request().body).and_then([](const Json& body) { return read_new_session(body); });
  if (!made) co_return reply_error(exchange, made.error());
  auto name = co_await model_name(exchange, context, made->session.model);
  if (!name) co_return reply_error(exchange, name.error());
  made->session.model = std::move(*name);
  made->session.owner = exchange.request().owner;
  using Answer = Result<Session>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    context.sessions.create(std::move(made->session), std::move(made->system), std::move(done));
  };
  const auto answer = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!answer) co_return reply_error(exchange, answer.error());
  exchange.reply(201, "application/json", session_text(*answer));
}

}  // namespace

extern const Endpoint endpoint_session_create;
const Endpoint endpoint_session_create{"POST", kPaths, &handle};

}  // namespace pensieve::server
