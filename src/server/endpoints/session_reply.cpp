// POST /v1/sessions/{id}/messages: a turn of the conversation; with "generate": false messages are only
// added.
#include <fmt/format.h>

#include <array>

#include "server/await_result.h"
#include "server/chat_answer.h"
#include "server/dialects/chat_request.h"
#include "server/dialects/errors.h"
#include "server/dialects/session_json.h"
#include "server/endpoint.h"
#include "server/sessions/session_store.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/sessions/{id}/messages", "/sessions/{id}/messages"};

Task<void> append(Exchange& exchange, Context& context, const Json& body) {
  auto messages = read_messages(body);
  if (!messages) co_return reply_error(exchange, messages.error());
  using Answer = Result<std::vector<SessionMessage>>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    context.sessions.append(exchange.request().owner,
                            std::string(exchange.request().parameter("id")), std::move(*messages),
                            std::move(done));
  };
  const auto answer = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!answer) co_return reply_error(exchange, answer.error());
  exchange.reply(200, "application/json", session_messages_text(*answer));
}

Task<void> handle(Exchange& exchange, Context& context) {
  constexpr std::array kFields{Field{"generate", FieldKind::boolean}};
  const auto body = parse_body(exchange.request().body);
  if (!body) co_return reply_error(exchange, body.error());
  if (auto checked = check_fields(*body, kFields); !checked) co_return reply_error(exchange, checked.error());
  if (!boolean_field(*body, "generate", true)) co_return co_await append(exchange, context, *body);
  auto call = read_chat_call(*body);
  const std::string_view id = exchange.request().parameter("id");
  if (call && !call->session.empty() && call->session != id) {
    call = fail(Error::Code::invalid,
                fmt::format("session is '{}', but the path names session '{}'; leave the field out",
                            call->session.substr(0, 80), id.substr(0, 80)),
                "session");
  }
  if (call) {
    call->session = exchange.request().parameter("id");
    std::erase(call->unknown, "generate");
  }
  co_await answer_chat(exchange, context, std::move(call));
}

}  // namespace

extern const Endpoint endpoint_session_reply;
const Endpoint endpoint_session_reply{"POST", kPaths, &handle};

}  // namespace pensieve::server
