// POST /models/unload: gives a model's memory back once nobody uses it. As llama-server's.
#include <array>

#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/dialects/fields.h"
#include "server/dialects/model_object.h"
#include "server/dialects/reply_parts.h"
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/models/unload", "/v1/models/unload"};
constexpr std::array kFields{Field{"model", FieldKind::text}};

Task<void> handle(Exchange& exchange, Context& context) {
  const auto body = parse_body(exchange.request().body);
  if (!body) co_return reply_error(exchange, body.error());
  if (const auto checked = check_fields(*body, kFields); !checked)
    co_return reply_error(exchange, checked.error());
  const std::string name = text_field(*body, "model");
  if (name.empty()) {
    co_return reply_error(
        exchange,
        Error{Error::Code::invalid, "model is missing: the name of the model to unload", "model", {}, {}});
  }
  const auto status = context.services.models.unload(name);
  if (!status) co_return reply_error(exchange, status.error());
  std::string out = R"({"success":true,"status":)";
  append_string(state_name(status->state), out);
  exchange.reply(200, "application/json", out + "}");
}

}  // namespace

extern const Endpoint endpoint_unload_model;
const Endpoint endpoint_unload_model{"POST", kPaths, &handle};

}  // namespace pensieve::server
