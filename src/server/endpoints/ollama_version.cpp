// GET /api/version: which version answers, in Ollama's form.
#include "server/dialects/reply_parts.h"
#include "server/endpoint.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/api/version"};

Task<void> handle(Exchange& exchange, Context&) {
  std::string_view version = version_text();
  version.remove_prefix(version.find('-') + 1);
  exchange.reply(200, "application/json", "{\"version\":\"" + std::string(version) + "\"}");
  co_return;
}

}  // namespace

extern const Endpoint endpoint_ollama_version;
const Endpoint endpoint_ollama_version{"GET", kPaths, &handle};

}  // namespace pensieve::server
