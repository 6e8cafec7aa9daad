// DELETE /v1/responses/{id}: the answer is no longer kept; those that followed it have their own copy.
#include "server/await_result.h"
#include "server/chat_answer.h"
#include "server/dialects/errors.h"
#include "server/endpoint.h"
#include "server/sessions/response_store.h"
#include "util/json.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/responses/{id}", "/responses/{id}"};

Task<void> handle(Exchange& exchange, Context& context) {
  using Answer = Result<std::string>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    context.responses.remove(exchange.request().owner,
                             std::string(exchange.request().parameter("id")), std::move(done));
  };
  const auto answer = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!answer) co_return reply_error(exchange, answer.error());
  exchange.reply(200, "application/json",
                 util::to_json({{"id", *answer}, {"object", "response"}, {"deleted", true}}));
}

}  // namespace

extern const Endpoint endpoint_response_delete;
const Endpoint endpoint_response_delete{"DELETE", kPaths, &handle};

}  // namespace pensieve::server
