// See reasoning_fields.h.
#include "server/dialects/reasoning_fields.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace pensieve::server {
namespace {

struct Effort {
  std::string_view name;
  std::optional<std::int64_t> tokens;
};
constexpr std::array<Effort, 7> kEfforts{{{"none", 0},
                                          {"minimal", 256},
                                          {"low", 1024},
                                          {"medium", 8192},
                                          {"high", std::nullopt},
                                          {"xhigh", std::nullopt},
                                          {"max", std::nullopt}}};

}  // namespace

// Two names are in use: Qwen and most others read the first, DeepSeek and Granite the second.
void switch_thinking(bool on, Json& template_arguments) {
  template_arguments["enable_thinking"] = on;
  template_arguments["thinking"] = on;
}

Result<> read_effort(const Json& effort, std::string_view field, Json& template_arguments,
                     GenerationRequest& generation) {
  const auto known = std::find_if(kEfforts.begin(), kEfforts.end(),
                                  [&effort](const Effort& entry) { return effort == entry.name; });
  if (known == kEfforts.end()) {
    return wrong_field(std::string(field), "'none', 'minimal', 'low', 'medium', 'high', 'xhigh' or 'max'",
                       effort);
  }
  switch_thinking(known->name != "none", template_arguments);
  template_arguments["reasoning_effort"] = effort;
  generation.reasoning_tokens = known->tokens;
  return {};
}

Result<Json> read_reasoning(const Json& body, GenerationRequest& generation) {
  Json arguments = Json::object();
  if (const Json* effort = find_field(body, "reasoning_effort")) {
    if (auto read = read_effort(*effort, "reasoning_effort", arguments, generation); !read)
      return tl::unexpected(std::move(read.error()));
  }
  if (const auto budget = integer_field(body, "thinking_budget_tokens")) {
    generation.reasoning_tokens.reset();
    if (*budget >= 0) generation.reasoning_tokens = *budget;
  }
  if (const Json* given = find_field(body, "chat_template_kwargs")) arguments.update(*given);
  return arguments;
}

}  // namespace pensieve::server
