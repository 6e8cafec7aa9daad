// GET /v1/sessions?limit&after: the conversations that the server keeps, newest first.
#include <fmt/format.h>

#include <charconv>

#include "server/await_result.h"
#include "server/chat_answer.h"
#include "server/dialects/errors.h"
#include "server/dialects/session_json.h"
#include "server/endpoint.h"
#include "server/sessions/session_store.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/sessions", "/sessions"};

constexpr std::int64_t kUsual = 20, kMost = 100;

Result<std::int64_t> read_limit(const Request& request) {
  const auto text = request.query_value("limit");
  if (!text) return kUsual;
  std::int64_t limit = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), limit);
  if (problem != std::errc() || end != text->data() + text->size() || limit < 1 || limit > kMost) {
    return fail(Error::Code::invalid,
                fmt::format("limit is '{}', not a number from 1 to {}", text->substr(0, 40), kMost), "limit");
  }
  return limit;
}

Task<void> handle(Exchange& exchange, Context& context) {
  const auto limit = read_limit(exchange.request());
  if (!limit) co_return reply_error(exchange, limit.error());
  using Answer = Result<SessionPage>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    context.sessions.list(exchange.request().owner, *limit, exchange.request().query_value("after"),
                          std::move(done));
  };
  const auto answer = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!answer) co_return reply_error(exchange, answer.error());
  exchange.reply(200, "application/json", session_list_text(*answer));
}

}  // namespace

extern const Endpoint endpoint_sessions;
const Endpoint endpoint_sessions{"GET", kPaths, &handle};

}  // namespace pensieve::server
