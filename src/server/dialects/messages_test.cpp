// Bodies of the Messages API: blocks become messages, what is accepted acts, mistakes are named.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/dialects/messages_request.h"
#include "server/dialects/volatile_lines.h"

namespace pensieve::server {
namespace {

using ::testing::HasSubstr;

constexpr const char* kHi = R"([{"role":"user","content":"Hi"}])";

Result<MessagesCall> read(const std::string& text) {
  return parse_body(text).and_then([](const Json& body) { return read_messages_call(body, false); });
}
Result<MessagesCall> read_content(const std::string& messages, const std::string& more = "") {
  return read("{\"max_tokens\":4,\"messages\":" + messages + more + "}");
}
const ChatRequest& chat_of(const Result<MessagesCall>& read) {
  return std::get<ChatRequest>(read->call.generation.prompt);
}

TEST(MessagesRequest, BlocksBecomeMessages) {
  const auto call = read_content(
      R"([{"role":"user","content":"go"},
      {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"redacted_thinking","data":"eA=="},
        {"type":"text","text":"I look."},{"type":"tool_use","id":"toolu_1","name":"ping","input":{"a":1}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1"},
        {"type":"tool_result","tool_use_id":"toolu_2","is_error":true,"content":[{"type":"text","text":"no"}]},
        {"type":"text","text":"So?","cache_control":{"type":"ephemeral"}}]}])",
      R"(,"system":[{"type":"text","text":"Be brief."}])");
  ASSERT_TRUE(call) << call.error().what;
  const auto& messages = chat_of(call).messages;
  ASSERT_EQ(messages.size(), 6);
  EXPECT_EQ(messages[0].role + *messages[0].content, "systemBe brief.");
  EXPECT_EQ(messages[2].reasoning_content, "hm");
  EXPECT_EQ(*messages[2].content, "I look.");
  EXPECT_EQ(messages[2].tool_calls.at(0).arguments, R"({"a":1})");
  EXPECT_EQ(messages[3].role + *messages[3].content, "tool");
  EXPECT_EQ(messages[3].name, "ping");
  EXPECT_EQ(*messages[4].content, "Error: no");
  EXPECT_EQ(messages[5].role + *messages[5].content, "userSo?");
}

TEST(MessagesRequest, BlocksOfAnAnswerAreOneTextAndOthersAreLines) {
  const auto call =
      read_content(R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
      {"role":"assistant","content":[{"type":"text","text":"c"},{"type":"text","text":"d"}]},
      {"role":"user","content":[{"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"D"}},
        {"type":"search_result","title":"S","source":"u","content":[{"type":"text","text":"found"}]},
        {"type":"document","source":{"type":"content","content":[{"type":"text","text":"E"}]}}]}])");
  ASSERT_TRUE(call) << call.error().what;
  const auto& messages = chat_of(call).messages;
  ASSERT_EQ(messages.size(), 3);
  EXPECT_EQ(*messages[0].content, "a\nb");
  EXPECT_EQ(*messages[1].content, "cd");
  EXPECT_EQ(*messages[2].content, "T\nD\nS\nu\nfound\nE");
}

TEST(MessagesRequest, AnAnswerThatHasBegunIsGoneOnWith) {
  const std::string begun = R"([{"role":"user","content":"Hi"},{"role":"assistant","content":"It is ("}])";
  EXPECT_FALSE(chat_of(read_content(begun)).add_generation_prompt);
  EXPECT_TRUE(chat_of(read_content(kHi)).add_generation_prompt);
  const auto both = read_content(begun, R"(,"output_config":{"format":{"type":"json_schema","schema":{}}})");
  EXPECT_FALSE(both);
}

TEST(MessagesRequest, AChangingLineOfTheSystemGivesTheSamePrompt) {
  const std::string names[] = {"x-anthropic-billing-header:"};
  const auto with = [&](const std::string& nonce) {
    auto read =
        read_content(kHi, R"(,"system":[{"type":"text","text":"x-anthropic-billing-header: v=1; cch=)" +
                              nonce + R"(;"},{"type":"text","text":"cch=9; stays"}])");
    steady_lines(names, read->call.generation);
    return *chat_of(read).messages.at(0).content;
  };
  EXPECT_EQ(with("a5145"), "x-anthropic-billing-header:\ncch=9; stays");
  EXPECT_EQ(with("a5145"), with("9f3"));
  auto asked = read_content(R"([{"role":"user","content":"x-anthropic-billing-header: what is it?"},
      {"role":"system","content":"first\nx-anthropic-billing-header: 1\nlast: x-anthropic-billing-header: 2\n"}])");
  steady_lines(names, asked->call.generation);
  EXPECT_EQ(*chat_of(asked).messages.at(0).content, "x-anthropic-billing-header: what is it?");
  EXPECT_EQ(*chat_of(asked).messages.at(1).content,
            "first\nx-anthropic-billing-header:\nlast: x-anthropic-billing-header: 2\n");
}

TEST(MessagesRequest, ToolsThinkingAndFormatsAct) {
  const auto call = read_content(
      R"([{"role":"user","content":"go"}])",
      R"(,"tools":[{"type":"bash_20250124","name":"bash"},{"type":"web_search_20250305","name":"web_search"},
      {"name":"ping","description":"d","input_schema":{"type":"object"}}],
      "tool_choice":{"type":"tool","name":"ping","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":1024},
      "output_config":{"effort":"low","format":{"type":"json_schema","schema":{"type":"object"}}},"stop_sequences":["a"],"top_k":5)");
  ASSERT_TRUE(call) << call.error().what;
  const ChatRequest& chat = chat_of(call);
  ASSERT_EQ(chat.tools.size(), 2);
  EXPECT_THAT(chat.tools[0].parameters, HasSubstr("command"));  // the client runs it; its input is known
  EXPECT_EQ(chat.tools[1].parameters, R"({"type":"object"})");
  EXPECT_EQ(call->call.inert, std::vector<std::string>{"tools[1]"});
  EXPECT_EQ(chat.tool_choice.mode, ToolChoice::Mode::required);
  EXPECT_EQ(chat.tool_choice.names, std::vector<std::string>{"ping"});
  EXPECT_FALSE(chat.tool_choice.parallel);
  EXPECT_EQ(call->call.generation.reasoning_tokens, 1024);
  EXPECT_EQ(call->call.generation.constraint->source, R"({"type":"object"})");
  EXPECT_THAT(chat.template_arguments, HasSubstr("\"reasoning_effort\":\"low\""));
  EXPECT_EQ(call->call.generation.stop, std::vector<std::string>{"a"});
}

TEST(MessagesRequest, ThinkingIsSwitchedLimitedAndHidden) {
  const auto off = read_content(kHi, R"(,"thinking":{"type":"disabled"})");
  EXPECT_EQ(off->call.generation.reasoning_tokens, 0);
  EXPECT_EQ(chat_of(off).template_arguments, R"({"enable_thinking":false,"thinking":false})");
  const auto adaptive = read_content(kHi, R"(,"thinking":{"type":"adaptive","display":"omitted"})");
  EXPECT_FALSE(adaptive->call.generation.reasoning_tokens);
  EXPECT_FALSE(adaptive->show_thinking);
  EXPECT_EQ(chat_of(adaptive).template_arguments, R"({"enable_thinking":true,"thinking":true})");
  const auto unsaid = read_content(kHi);
  EXPECT_TRUE(chat_of(unsaid).template_arguments.empty());
  EXPECT_TRUE(unsaid->show_thinking);
}

TEST(MessagesRequest, WhatClientsAlwaysSendDoesNotFail) {
  const auto call = read_content(
      R"([{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral","ttl":"1h"}}]}])",
      R"(,"metadata":{"user_id":"u"},"service_tier":"auto","cache_control":{"type":"ephemeral"},
      "context_management":{"edits":[]},"temperature":null,"tools":null,"system":null,"thinking":null)");
  ASSERT_TRUE(call) << call.error().what;
  EXPECT_EQ(call->call.unknown, std::vector<std::string>{"context_management"});
  EXPECT_THAT(call->call.inert, ::testing::UnorderedElementsAre("metadata", "service_tier"));
  const auto counted =
      parse_body(R"({"messages":[{"role":"user","content":"Hi"}]})").and_then([](const Json& body) {
        return read_messages_call(body, true);
      });
  EXPECT_TRUE(counted);
}

TEST(MessagesRequest, MistakesNameTheField) {
  const std::string hi = kHi;
  const auto field = [](const Result<MessagesCall>& call) {
    return call ? std::string("taken") : call.error().field;
  };
  EXPECT_EQ(field(read("{\"messages\":" + hi + "}")), "max_tokens");
  EXPECT_EQ(field(read("{\"max_tokens\":4}")), "messages");
  EXPECT_EQ(field(read_content("[]")), "messages");
  EXPECT_EQ(field(read_content("[5]")), "messages[0]");
  EXPECT_EQ(field(read_content(R"([{"role":"user"}])")), "messages[0].content");
  EXPECT_EQ(field(read_content(R"([{"role":"wizard","content":"x"}])")), "messages[0].role");
  EXPECT_EQ(field(read_content(R"([{"role":"user","content":[{"type":"hologram"}]}])")),
            "messages[0].content[0].type");
  EXPECT_EQ(field(read_content(R"([{"role":"user","content":[{"type":"image","source":{}}]}])")),
            "messages[0].content[0].type");
  EXPECT_EQ(field(read_content(hi, R"(,"tools":[{"description":"x"}])")), "tools[0].name");
  EXPECT_EQ(field(read_content(hi, R"(,"tools":[5])")), "tools[0]");
  EXPECT_EQ(field(read_content(hi, R"(,"tools":[{"name":"a"}],"tool_choice":{"type":"tool","name":"b"})")),
            "tool_choice");
  EXPECT_EQ(field(read_content(hi, R"(,"tool_choice":{"type":"tool"})")), "tool_choice.name");
  EXPECT_EQ(field(read_content(hi, R"(,"tool_choice":{"type":"any"})")), "tool_choice");
  EXPECT_EQ(field(read_content(hi, R"(,"tool_choice":{"type":"some"})")), "tool_choice.type");
  EXPECT_EQ(field(read_content(hi, R"(,"cache_control":{"type":"eternal"})")), "cache_control.type");
  EXPECT_EQ(field(read_content(hi, R"(,"system":[{"type":"image"}])")), "system[0].type");
  EXPECT_EQ(field(read_content(hi, R"(,"output_config":{"effort":"huge"})")), "output_config.effort");
  EXPECT_EQ(field(read_content(hi, R"(,"output_config":{"format":{"type":"json_schema"}})")),
            "output_config.format.schema");
  EXPECT_EQ(
      field(read_content(R"([{"role":"user","content":[{"type":"document","source":{"type":"base64"}}]}])")),
      "messages[0].content[0].source.type");
  EXPECT_EQ(field(read_content(R"([{"role":"user","content":[{"type":"tool_use","id":"a","name":"b"}]}])")),
            "messages[0].content[0].type");
  EXPECT_EQ(field(read_content(hi, R"(,"stop_sequences":"x")")), "stop_sequences");
  EXPECT_EQ(field(read_content(hi, R"(,"thinking":{"type":"enabled"})")), "thinking.budget_tokens");
}

}  // namespace
}  // namespace pensieve::server
