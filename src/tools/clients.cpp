// See clients.h. Variables and options: each client's own documentation of custom endpoints.
#include "tools/clients.h"

#include <array>

#include "util/json.h"

namespace pensieve::tools {
namespace {

using util::Json;

// Every name by which it knows a model means ours, for its small errands too; what would choose another
// endpoint or login is taken away.
Launch plan_claude(const ServedModel& served) {
  Launch launch;
  auto& set = launch.environment;
  set = {{"ANTHROPIC_BASE_URL", served.url},       {"ANTHROPIC_AUTH_TOKEN", served.key},
         {"ANTHROPIC_API_KEY", std::nullopt},      {"CLAUDE_CODE_USE_BEDROCK", std::nullopt},
         {"CLAUDE_CODE_USE_VERTEX", std::nullopt}, {"CLAUDE_CODE_USE_FOUNDRY", std::nullopt}};
  for (const char* name :
       {"ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_OPUS_MODEL", "ANTHROPIC_DEFAULT_SONNET_MODEL",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL"})
    set.emplace_back(name, served.model);
  set.emplace_back("CLAUDE_CODE_ATTRIBUTION_HEADER", "0");
  set.emplace_back("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
  set.emplace_back("API_TIMEOUT_MS", "3000000");  // a long prompt takes its time on small hardware
  if (served.context > 0) set.emplace_back("CLAUDE_CODE_AUTO_COMPACT_WINDOW", std::to_string(served.context));
  return launch;
}

// `-c` takes TOML, whose strings are written as JSON's.
Launch plan_codex(const ServedModel& served) {
  Launch launch;
  launch.environment = {{"PENSIEVE_CLIENT_KEY", served.key}};
  const auto set = [&launch](const std::string& key, const Json& value) {
    launch.arguments.insert(launch.arguments.end(), {"-c", key + "=" + util::to_json(value)});
  };
  set("model", served.model);
  set("model_provider", "pensieve");
  set("model_providers.pensieve.name", "Pensieve");
  set("model_providers.pensieve.base_url", served.url + "/v1");
  set("model_providers.pensieve.wire_api", "responses");
  set("model_providers.pensieve.env_key", "PENSIEVE_CLIENT_KEY");
  set("model_providers.pensieve.stream_idle_timeout_ms", 3000000);
  if (served.context > 0) set("model_context_window", served.context);
  return launch;
}

Launch plan_opencode(const ServedModel& served) {
  Json model{{"name", served.model}};
  if (served.context > 0) model["limit"] = Json{{"context", served.context}, {"output", served.context}};
  const Json provider{{"npm", "@ai-sdk/openai-compatible"},
                      {"name", "Pensieve"},
                      {"options", {{"baseURL", served.url + "/v1"}, {"apiKey", served.key}}},
                      {"models", {{served.model, model}}}};
  const std::string name = "pensieve/" + served.model;
  const Json config{{"$schema", "https://opencode.ai/config.json"},
                    {"provider", {{"pensieve", provider}}},
                    {"model", name},
                    {"small_model", name}};
  return {{{"OPENCODE_CONFIG_CONTENT", util::to_json(config)}}, {}};
}

Launch plan_aider(const ServedModel& served) {
  return {{{"OPENAI_API_BASE", served.url + "/v1"}, {"OPENAI_API_KEY", served.key}},
          {"--model", "openai/" + served.model, "--no-show-model-warnings"}};
}

Launch plan_goose(const ServedModel& served) {
  return {{{"GOOSE_PROVIDER", "openai"},
           {"GOOSE_MODEL", served.model},
           {"OPENAI_HOST", served.url},
           {"OPENAI_BASE_PATH", "v1/chat/completions"},
           {"OPENAI_API_KEY", served.key}},
          {}};
}

Launch plan_qwen(const ServedModel& served) {
  return {{{"OPENAI_BASE_URL", served.url + "/v1"},
           {"OPENAI_API_KEY", served.key},
           {"OPENAI_MODEL", served.model}},
          {}};
}

constexpr std::array kClients{
    Client{"claude", "claude", "npm install -g @anthropic-ai/claude-code", &plan_claude},
    Client{"codex", "codex", "npm install -g @openai/codex", &plan_codex},
    Client{"opencode", "opencode", "npm install -g opencode-ai", &plan_opencode},
    Client{"aider", "aider", "python3 -m pip install aider-chat", &plan_aider},
    Client{"goose", "goose", "see https://block.github.io/goose", &plan_goose},
    Client{"qwen", "qwen", "npm install -g @qwen-code/qwen-code", &plan_qwen},
};

}  // namespace

std::span<const Client> clients() {
  return kClients;
}

}  // namespace pensieve::tools
