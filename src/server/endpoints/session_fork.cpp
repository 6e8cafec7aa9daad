// POST /v1/sessions/{id}/fork: a new conversation that begins as this one did.
#include "server/await_result.h"
#include "server/chat_answer.h"
#include "server/dialects/errors.h"
#include "server/dialects/session_json.h"
#include "server/endpoint.h"
#include "server/sessions/session_store.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/sessions/{id}/fork", "/sessions/{id}/fork"};

Task<void> handle(Exchange& exchange, Context& context) {
  const std::string& body = exchange.request().body;
  auto wanted =
      (body.empty() ? Result<Json>(Json::object()) : parse_body(body)).and_then([](const Json& json) {
        return read_new_fork(json);
      });
  if (!wanted) co_return reply_error(exchange, wanted.error());
  using Answer = Result<Session>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    context.sessions.fork(exchange.request().owner, std::string(exchange.request().parameter("id")),
                          std::move(wanted->at), std::move(wanted->title), std::move(done));
  };
  const auto answer = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!answer) co_return reply_error(exchange, answer.error());
  exchange.reply(201, "application/json", session_text(*answer));
}

}  // namespace

extern const Endpoint endpoint_session_fork;
const Endpoint endpoint_session_fork{"POST", kPaths, &handle};

}  // namespace pensieve::server
