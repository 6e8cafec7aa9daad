// DELETE /v1/sessions/{id}: the conversation is gone; its forks live on.
#include "server/await_result.h"
#include "server/chat_answer.h"
#include "server/dialects/errors.h"
#include "server/dialects/session_json.h"
#include "server/endpoint.h"
#include "server/sessions/session_store.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/sessions/{id}", "/sessions/{id}"};

Task<void> handle(Exchange& exchange, Context& context) {
  using Answer = Result<std::string>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    context.sessions.remove(exchange.request().owner,
                            std::string(exchange.request().parameter("id")), std::move(done));
  };
  const auto answer = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!answer) co_return reply_error(exchange, answer.error());
  exchange.reply(200, "application/json",
                 util::to_json({{"id", *answer}, {"object", "session.deleted"}, {"deleted", true}}));
}

}  // namespace

extern const Endpoint endpoint_session_delete;
const Endpoint endpoint_session_delete{"DELETE", kPaths, &handle};

}  // namespace pensieve::server
