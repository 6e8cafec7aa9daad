// GET /props: the defaults of a model as llama-server's clients read them; ?model=NAME, else the one that is
// loaded.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "server/context.h"
#include "server/dialects/errors.h"
#include "server/dialects/model_object.h"
#include "server/dialects/reply_parts.h"
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/props"};

Result<manage::ModelStatus> chosen(const Exchange& exchange, const manage::ModelPool& models) {
  if (const auto name = exchange.request().query_value("model")) return models.find(*name);
  const auto all = models.list();
  if (all.empty())
    return fail(Error::Code::not_found, "this server has no model", "model", "model_not_found");
  const auto loaded = std::find_if(all.begin(), all.end(), [](const manage::ModelStatus& status) {
    return status.state == manage::ModelState::loaded;
  });
  return loaded == all.end() ? all.front() : *loaded;
}

std::string reply_text(const ModelInfo& info) {
  const SamplingParams& sampling = info.defaults;
  std::string out;
  fmt::format_to(
      std::back_inserter(out),
      R"({{"default_generation_settings":{{"n_ctx":{},"params":{{"temperature":{},"top_k":{},"top_p":{},"min_p":{},)"
      R"("typical_p":{},"repeat_last_n":{},"repeat_penalty":{},"presence_penalty":{},"frequency_penalty":{}}}}})",
      context_of(info), sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p,
      sampling.typical_p, sampling.repeat_last_n, sampling.repeat_penalty, sampling.presence_penalty,
      sampling.frequency_penalty);
  out += ",\"total_slots\":" + std::to_string(std::max<std::int64_t>(1, info.parallel));
  // The name only: where files lie on the server is nobody's business.
  out += ",\"model_path\":";
  append_string(info.name, out);
  out += ",\"model_alias\":";
  append_string(info.name, out);
  out += R"(,"modalities":{"vision":false,"audio":false},"chat_template":)";
  append_string(info.chat_template, out);
  out += ",\"build_info\":";
  append_string(version_text(), out);
  return out + "}";
}

Task<void> handle(Exchange& exchange, Context& context) {
  const auto status = chosen(exchange, context.services.models);
  if (!status) co_return reply_error(exchange, status.error());
  exchange.reply(200, "application/json", reply_text(status->info));
}

}  // namespace

extern const Endpoint endpoint_props;
const Endpoint endpoint_props{"GET", kPaths, &handle};

}  // namespace pensieve::server
