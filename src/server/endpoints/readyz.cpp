// GET /readyz: a model can generate now; ?model=NAME asks for one. 503 while loading and while shutting down.
#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/dialects/model_object.h"
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/readyz"};

tl::unexpected<Error> not_ready(std::string what, std::string reason) {
  return fail(Error::Code::unavailable, std::move(what), {}, std::move(reason));
}

Result<> readiness(const Exchange& exchange, const Context& context) {
  if (context.draining) return not_ready("the server is shutting down", "server_stops");
  const manage::ModelPool& models = context.services.models;
  const auto name = exchange.request().query_value("model");
  if (!name) {
    if (models.ready()) return {};
    if (models.list().empty())
      return not_ready("there is no model: name one at start or put one into a model directory", "no_model");
    return not_ready("no model can generate yet", "loading");
  }
  const auto status = models.find(*name);
  if (!status) return tl::unexpected(status.error());
  if (status->state == manage::ModelState::loaded) return {};
  return not_ready("model '" + *name + "' is " + std::string(state_name(status->state)), "not_loaded");
}

Task<void> handle(Exchange& exchange, Context& context) {
  const auto ready = readiness(exchange, context);
  if (!ready) co_return reply_error(exchange, ready.error());
  exchange.reply(200, "application/json", R"({"status":"ready"})");
}

}  // namespace

extern const Endpoint endpoint_readyz;
const Endpoint endpoint_readyz{"GET", kPaths, &handle, Access::everybody};

}  // namespace pensieve::server
