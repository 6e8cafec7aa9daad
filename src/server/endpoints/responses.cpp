// POST /v1/responses: an answer to items, whole or as a stream of events, kept for later requests.
#include "server/endpoint.h"
#include "server/response_answer.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/v1/responses", "/responses"};

Task<void> handle(Exchange& exchange, Context& context) {
  Result<ResponseCall> call =
      parse_body(exchange.request().body).and_then([](const Json& body) { return read_response_call(body); });
  co_await answer_response(exchange, context, std::move(call));
}

}  // namespace

extern const Endpoint endpoint_responses;
const Endpoint endpoint_responses{"POST", kPaths, &handle};

}  // namespace pensieve::server
