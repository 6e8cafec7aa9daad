// POST /models/load: loads a model ahead of its first request, and answers when that is done. As
// llama-server's.
#include <array>

#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/dialects/fields.h"
#include "server/endpoint.h"
#include "server/generation.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/models/load", "/v1/models/load"};
constexpr std::array kFields{Field{"model", FieldKind::text}};

Task<void> handle(Exchange& exchange, Context& context) {
  const auto body = parse_body(exchange.request().body);
  if (!body) co_return reply_error(exchange, body.error());
  if (const auto checked = check_fields(*body, kFields); !checked)
    co_return reply_error(exchange, checked.error());
  const auto model = co_await acquire_model(exchange, context, text_field(*body, "model"));
  if (!model) co_return reply_error(exchange, model.error());
  exchange.reply(200, "application/json", R"({"success":true})");
}

}  // namespace

extern const Endpoint endpoint_load_model;
const Endpoint endpoint_load_model{"POST", kPaths, &handle};

}  // namespace pensieve::server
