// See response_answer.h.
#include "server/response_answer.h"

#include <fmt/format.h>

#include <utility>

#include "server/await_result.h"
#include "server/chat_answer.h"
#include "server/dialects/errors.h"
#include "server/dialects/response_items.h"
#include "server/dialects/response_reply.h"
#include "server/generation.h"
#include "server/sessions/response_store.h"

namespace pensieve::server {
namespace {

Error damaged(const std::string& id) {
  return {Error::Code::internal,
          fmt::format("the kept response '{}' is damaged; send the conversation as input instead",
                      id.substr(0, 100)),
          "previous_response_id",
          {},
          {}};
}

// Everything that was asked and answered up to `previous`, with its answer.
Result<Json> items_before(const StoredResponse& previous) {
  auto items = util::parse_json(previous.input);
  const auto body = util::parse_json(previous.body);
  if (!items || !items->is_array() || !body || !body->is_object())
    return tl::unexpected(damaged(previous.id));
  const Json* output = find_field(*body, "output");
  if (output == nullptr || !output->is_array()) return tl::unexpected(damaged(previous.id));
  for (const Json& item : *output) items->push_back(item);
  for (const Json& item : *items) {
    if (!item.is_object()) return tl::unexpected(damaged(previous.id));
  }
  return items;
}

std::string model_of(const StoredResponse& previous) {
  const auto body = util::parse_json(previous.body);
  const Json* model = body && body->is_object() ? find_field(*body, "model") : nullptr;
  return model && model->is_string() ? model->get<std::string>() : std::string();
}

// What later requests may refer to: of the input, what this request brought, and the answer.
std::vector<StoredItem> new_items(const ResponseCall& call, std::size_t older, const ResponseReply& reply) {
  std::vector<StoredItem> kept;
  for (std::size_t i = older; i < call.items.size(); ++i)
    kept.push_back({text_field(call.items[i], "id"), util::to_json(call.items[i])});
  auto bodies = reply.output();
  const auto ids = reply.output_ids();
  for (std::size_t i = 0; i < bodies.size(); ++i) kept.push_back({ids[i], std::move(bodies[i])});
  return kept;
}

Task<Result<>> keep(Exchange& exchange, Context& context, const ResponseCall& call,
                    const ResponseReply& reply) {
  using Kept = Result<std::string>;
  StoredResponse stored{reply.id(), exchange.request().owner, reply.created_at(), reply.document(),
                        util::to_json(call.items)};
  auto items = new_items(call, call.older_items, reply);
  std::function<void(std::function<void(Kept)>)> start = [&](std::function<void(Kept)> done) {
    context.responses.keep(std::move(stored), std::move(items), std::move(done));
  };
  // Not given up when the client leaves: the answer is complete, and it is kept whole.
  const auto kept = co_await await_answer<Kept>(exchange.executor(), std::move(start));
  if (!kept) co_return tl::unexpected(kept.error());
  co_return Result<>();
}

// An answer that was to be kept only because that is the default is given all the same, and says store:
// false.
Task<Result<>> keep_if_wanted(Exchange& exchange, Context& context, const ResponseCall& call,
                              ResponseReply& reply) {
  if (!call.store) co_return Result<>();
  auto kept = co_await keep(exchange, context, call, reply);
  if (kept || call.must_store) co_return kept;
  reply.set_stored(false);
  context.services.log.write(
      util::LogLevel::warn, "response_not_kept",
      {{"id", std::string_view(exchange.request().id)}, {"message", std::string_view(kept.error().what)}});
  co_return Result<>();
}

Task<Result<>> join_previous(Exchange& exchange, Context& context, ResponseCall& call) {
  using Answer = Result<StoredResponse>;
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    context.responses.find(exchange.request().owner, call.previous, std::move(done));
  };
  const auto previous = co_await await_result<StoredResponse>(exchange, std::move(start));
  if (!previous) {
    if (previous.error().code != Error::Code::not_found) co_return tl::unexpected(previous.error());
    co_return fail(Error::Code::invalid, "previous_response_id: " + previous.error().what,
                   "previous_response_id", "previous_response_not_found");
  }
  auto items = items_before(*previous);
  if (!items) co_return tl::unexpected(std::move(items.error()));
  call.older_items = items->size();
  for (Json& item : call.items) items->push_back(std::move(item));
  call.items = std::move(*items);
  if (call.call.model.empty()) call.call.model = model_of(*previous);
  co_return Result<>();
}

Task<Result<>> join_references(Exchange& exchange, Context& context, ResponseCall& call) {
  using Answer = Result<std::vector<std::string>>;
  auto ids = referenced_ids(call.items);
  if (ids.empty()) co_return Result<>();
  std::function<void(std::function<void(Answer)>)> start = [&](std::function<void(Answer)> done) {
    context.responses.items(exchange.request().owner, std::move(ids), std::move(done));
  };
  const auto bodies = co_await await_result<Answer::value_type>(exchange, std::move(start));
  if (!bodies) co_return tl::unexpected(bodies.error());
  co_return resolve_references(call.items, *bodies);
}

}  // namespace

Task<Result<>> join_history(Exchange& exchange, Context& context, ResponseCall& call) {
  auto joined = co_await join_references(exchange, context, call);
  if (joined && !call.previous.empty()) joined = co_await join_previous(exchange, context, call);
  if (joined) joined = check_history(call.items);
  if (joined) set_conversation(call);
  co_return joined;
}

Task<void> answer_response(Exchange& exchange, Context& context, Result<ResponseCall> call) {
  if (!call) co_return reply_error(exchange, call.error());
  log_unknown(context, exchange, call->call.unknown);
  const auto joined = co_await join_history(exchange, context, *call);
  if (!joined) co_return reply_error(exchange, joined.error());
  const auto model = co_await acquire_model(exchange, context, call->call.model);
  if (!model) co_return reply_error(exchange, model.error());
  const ModelInfo& info = (*model)->info();
  if (const auto fit = fit_to_model(info, call->call); !fit) co_return reply_error(exchange, fit.error());

  call->call.generation.request_id = exchange.request().id;
  ResponseReply reply(*call, info.name, call->call.stream ? &exchange : nullptr);
  std::vector<GenerationRequest> requests;
  requests.push_back(std::move(call->call.generation));
  auto outcome = co_await run_generations(exchange, **model, std::move(requests), reply);
  exchange.count_tokens(reply.usage().prompt_tokens, reply.usage().completion_tokens);
  if (outcome) {
    reply.finish();
    outcome = co_await keep_if_wanted(exchange, context, *call, reply);
  }
  if (!outcome) {
    if (!exchange.replied()) co_return reply_error(exchange, outcome.error());
    co_return reply.send_failure(outcome.error());
  }
  reply.send_end();
  if (!call->call.stream) exchange.reply(200, "application/json", reply.document());
}

}  // namespace pensieve::server
