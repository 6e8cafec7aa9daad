// GET /v1/responses/{id}: an answer that was kept, as it was given.
#include "server/await_result.h"
#include "server/chat_answer.h"
#include "server/dialects/errors.h"
#include "server/endpoint.h"
#include "server/sessions/response_store.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/responses/{id}", "/responses/{id}"};

// What was streamed once is not streamed again.
Result<> check_query(const Request& request) {
  for (const char* name : {"stream", "starting_after"}) {
    const auto value = request.query_value(name);
    if (!value || *value == "false") continue;
    return fail(Error::Code::unsupported,
                std::string(name) + ": a response that was kept is answered whole; leave the parameter out",
                name);
  }
  return {};
}

Task<void> handle(Exchange& exchange, Context& context) {
  if (const auto checked = check_query(exchange.request()); !checked)
    co_return reply_error(exchange, checked.error());
  using Answer = Result<StoredResponse>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    context.responses.find(exchange.request().owner, std::string(exchange.request().parameter("id")),
                           std::move(done));
  };
  auto answer = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!answer) co_return reply_error(exchange, answer.error());
  exchange.reply(200, "application/json", std::move(answer->body));
}

}  // namespace

extern const Endpoint endpoint_response;
const Endpoint endpoint_response{"GET", kPaths, &handle};

}  // namespace pensieve::server
