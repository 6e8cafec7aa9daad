// How other makers' clients are told of a server, checked against what each of them reads.
#include "tools/clients.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "util/json.h"

namespace pensieve::tools {
namespace {

const ServedModel kServed{"http://127.0.0.1:7777", "sk-1", "maker/model:7b", 40960};

Launch plan(std::string_view name) {
  for (const Client& client : clients()) {
    if (client.name == name) return client.plan(kServed);
  }
  ADD_FAILURE() << "no client " << name;
  return {};
}

std::optional<std::string> value_of(const Launch& launch, std::string_view variable) {
  for (const auto& [name, value] : launch.environment) {
    if (name == variable) return value;
  }
  ADD_FAILURE() << variable << " is not mentioned";
  return std::nullopt;
}

TEST(Clients, ClaudeAsksHereForWhateverItWants) {
  const Launch launch = plan("claude");
  EXPECT_EQ(value_of(launch, "ANTHROPIC_BASE_URL"), kServed.url);
  EXPECT_EQ(value_of(launch, "ANTHROPIC_AUTH_TOKEN"), "sk-1");
  EXPECT_EQ(value_of(launch, "ANTHROPIC_API_KEY"), std::nullopt);
  for (const char* name : {"ANTHROPIC_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL", "CLAUDE_CODE_SUBAGENT_MODEL"})
    EXPECT_EQ(value_of(launch, name), kServed.model);
  EXPECT_EQ(value_of(launch, "CLAUDE_CODE_AUTO_COMPACT_WINDOW"), "40960");
}

TEST(Clients, CodexGetsAProviderOfItsOwnByArguments) {
  const Launch launch = plan("codex");
  EXPECT_EQ(value_of(launch, "PENSIEVE_CLIENT_KEY"), "sk-1");
  EXPECT_THAT(launch.arguments, testing::Contains(R"(model="maker/model:7b")"));
  EXPECT_THAT(launch.arguments,
              testing::Contains(R"(model_providers.pensieve.base_url="http://127.0.0.1:7777/v1")"));
  EXPECT_THAT(launch.arguments, testing::Contains("model_context_window=40960"));
  EXPECT_EQ(launch.arguments.size() % 2, 0U);
}

TEST(Clients, OpencodeGetsItsConfigurationAsText) {
  const auto config = util::parse_json(*value_of(plan("opencode"), "OPENCODE_CONFIG_CONTENT"));
  ASSERT_TRUE(config);
  EXPECT_EQ((*config)["model"], "pensieve/maker/model:7b");
  const util::Json& provider = (*config)["provider"]["pensieve"];
  EXPECT_EQ(provider["options"]["baseURL"], "http://127.0.0.1:7777/v1");
  EXPECT_EQ(provider["models"]["maker/model:7b"]["limit"]["context"], 40960);
}

TEST(Clients, EachIsToldOfServerKeyAndModel) {
  std::set<std::string_view> names;
  for (const Client& client : clients()) {
    EXPECT_TRUE(names.insert(client.name).second);
    const Launch launch = client.plan(kServed);
    std::string all;
    for (const auto& entry : launch.environment) all += entry.second.value_or("") + "\n";
    for (const std::string& word : launch.arguments) all += word + "\n";
    for (const std::string& fact : {kServed.url, kServed.key, kServed.model})
      EXPECT_THAT(all, testing::HasSubstr(fact)) << client.name;
  }
}

}  // namespace
}  // namespace pensieve::tools
