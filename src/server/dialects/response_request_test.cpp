// Requests of the Responses API: wrong ones are refused by name, right ones become the conversation they
// mean.
#include "server/dialects/response_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/dialects/errors.h"
#include "server/dialects/response_items.h"

namespace pensieve::server {
namespace {

using ::testing::HasSubstr;

Result<ResponseCall> read(const std::string& fields) {
  return parse_body("{" + fields + "}").and_then([](const Json& body) { return read_response_call(body); });
}
Result<ResponseCall> with(const std::string& fields) {
  return read(R"("input":"Hi",)" + fields);
}
const ChatRequest& chat_of(const ResponseCall& call) {
  return std::get<ChatRequest>(call.call.generation.prompt);
}
// The messages of a list of items.
std::vector<ChatMessage> said(const std::string& items) {
  auto call = read(R"("input":)" + items);
  EXPECT_TRUE(call) << (call ? "" : call.error().what);
  if (!call) return {};
  EXPECT_TRUE(check_history(call->items));
  set_conversation(*call);
  return chat_of(*call).messages;
}

struct Wrong {
  const char* field;
  const char* value;
};

TEST(ResponseRequest, WhatIsWrongOrCannotActIsRefusedByName) {
  const Wrong cases[] = {
      {"input", "5"},
      {"input", "[]"},
      {"input", "[5]"},
      {"input", "[{}]"},
      {"input", R"([{"type":"martian"}])"},
      {"input", R"([{"type":"web_search_call","id":"ws_1"}])"},
      {"input", R"([{"role":"wizard","content":"x"}])"},
      {"input", R"([{"role":"user"}])"},
      {"input", R"([{"role":"user","content":[{"type":"text","text":"x"}]}])"},
      {"input", R"([{"role":"user","content":[{"type":"input_image","image_url":"x"}]}])"},
      {"input", R"([{"role":"user","content":[{"type":"input_text"}]}])"},
      {"input", R"([{"type":"function_call","name":"f","arguments":"{}"}])"},
      {"input", R"([{"type":"function_call","call_id":"c","arguments":"{}"}])"},
      {"input", R"([{"type":"function_call","call_id":"c","name":"f","arguments":{}}])"},
      {"input", R"([{"type":"function_call_output","call_id":"c"}])"},
      {"input", R"([{"type":"reasoning","summary":"x"}])"},
      {"input", R"([{"type":"item_reference"}])"},
      {"instructions", "5"},
      {"max_output_tokens", "\"many\""},
      {"max_output_tokens", "0"},
      {"temperature", "\"hot\""},
      {"top_logprobs", "21"},
      {"tools", "\"hammer\""},
      {"tools", R"([{"type":"martian"}])"},
      {"tools", R"([{"type":"function"}])"},
      {"tools", R"([{"type":"function","function":{"name":"f"}}])"},
      {"tool_choice", "\"required\""},
      {"tool_choice", R"({"type":"function","name":"nobody"})"},
      {"tool_choice", R"({"type":"web_search_preview"})"},
      {"tool_choice", R"({"type":"allowed_tools","mode":"auto","tools":[]})"},
      {"text", R"({"format":{"type":"yaml"}})"},
      {"text", R"({"format":{"type":"json_schema","schema":{}}})"},
      {"text", R"({"format":{"type":"json_schema","name":"x"}})"},
      {"text", R"({"verbosity":"chatty"})"},
      {"reasoning", R"({"effort":"heroic"})"},
      {"reasoning", R"({"summary":"long"})"},
      {"include", R"(["everything"])"},
      {"include", "[5]"},
      {"metadata", R"({"a":5})"},
      {"truncation", "\"auto\""},
      {"truncation", "\"middle\""},
      {"store", "\"yes\""},
      {"background", "true"},
      {"conversation", "\"conv_1\""},
      {"prompt", R"({"id":"p"})"},
      {"context_management", R"([{"type":"compaction"}])"},
      {"n", "2"},
      {"stream_options", R"({"include_obfuscation":true})"},
  };
  for (const Wrong& wrong : cases) {
    const std::string field = wrong.field;
    const std::string member = "\"" + field + "\":" + wrong.value;
    const auto call = field == "input" ? read(member) : with(member);
    ASSERT_FALSE(call) << member;
    EXPECT_TRUE(call.error().field.starts_with(field)) << member << " blames " << call.error().field;
    EXPECT_THAT(call.error().what, HasSubstr(field));
    EXPECT_EQ(http_status(call.error()), 400);
  }
  EXPECT_EQ(read(R"("model":"m")").error().field, "input");
}

TEST(ResponseRequest, ToolsOfOthersAreLeftOutAndNotShown) {
  const auto call = with(
      R"("tools":[{"type":"web_search"},{"type":"web_search_preview_2025_03_11"},{"type":"custom","name":"patch"},{"type":"local_shell"},
      {"type":"function","name":"ping","parameters":{"type":"object"}}],"tool_choice":{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"ping"}]})");
  ASSERT_TRUE(call) << call.error().what;
  ASSERT_EQ(chat_of(*call).tools.size(), 1U);
  EXPECT_EQ(chat_of(*call).tools[0].name, "ping");
  EXPECT_EQ(chat_of(*call).tool_choice.mode, ToolChoice::Mode::required);
  EXPECT_EQ(chat_of(*call).tool_choice.names, std::vector<std::string>{"ping"});
  EXPECT_EQ(call->settings["tools"].size(), 1U);
  EXPECT_TRUE(call->settings["tools"][0]["strict"].is_null());
}

TEST(ResponseRequest, EveryFieldActs) {
  auto call = with(
      R"("model":"m","instructions":"Be brief.","stream":true,"max_output_tokens":9,"temperature":0.25,"top_p":0.5,"seed":7,"parallel_tool_calls":false,
      "text":{"format":{"type":"json_schema","name":"x","schema":{"type":"object"}},"verbosity":"low"},"reasoning":{"effort":"none","summary":"auto"},
      "include":["reasoning.encrypted_content","message.output_text.logprobs"],"top_logprobs":3,"previous_response_id":"resp_1","store":false,
      "metadata":{"k":"v"},"truncation":"disabled","background":false,"stream_options":{"include_obfuscation":false},"later":1)");
  ASSERT_TRUE(call) << call.error().what;
  const GenerationRequest& generation = call->call.generation;
  EXPECT_EQ(call->call.model, "m");
  EXPECT_TRUE(call->call.stream);
  EXPECT_EQ(generation.max_tokens, 9);
  EXPECT_EQ(generation.top_logprobs, 3);
  EXPECT_EQ(generation.sampling.seed, 7U);
  EXPECT_EQ(generation.constraint->kind, Constraint::Kind::json_schema);
  EXPECT_FALSE(chat_of(*call).tool_choice.parallel);
  EXPECT_EQ(chat_of(*call).template_arguments,
            R"({"verbosity":"low","reasoning_effort":"none","enable_thinking":false})");
  EXPECT_TRUE(call->summary && call->wrapped);
  EXPECT_FALSE(call->store);
  EXPECT_EQ(call->previous, "resp_1");
  EXPECT_EQ(call->settings["text"]["format"]["name"], "x");
  EXPECT_EQ(call->settings["metadata"]["k"], "v");
  EXPECT_EQ(call->settings["max_output_tokens"], 9);
  EXPECT_EQ(call->call.unknown, std::vector<std::string>{"later"});
  set_conversation(*call);
  ASSERT_EQ(chat_of(*call).messages.size(), 2U);
  EXPECT_EQ(chat_of(*call).messages[0].role, "system");
  EXPECT_EQ(chat_of(*call).messages[0].content, "Be brief.");
}

TEST(ResponseItems, FormsOfAMessageMeanTheSame) {
  for (const char* form : {R"("Hi")", R"([{"role":"user","content":"Hi"}])",
                           R"([{"type":"message","role":"user","content":"Hi"}])",
                           R"([{"role":"user","content":[{"type":"input_text","text":"Hi"}]}])"}) {
    const auto messages = said(form);
    ASSERT_EQ(messages.size(), 1U) << form;
    EXPECT_EQ(messages[0].role, "user");
    EXPECT_EQ(messages[0].content, "Hi");
  }
  EXPECT_EQ(said(R"([{"role":"developer","content":"Be brief."}])")[0].role, "system");
}

TEST(ResponseItems, WhatAnAssistantDidInARowIsOneMessage) {
  const auto messages = said(
      R"([{"role":"user","content":"Weather?"},
      {"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
      {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Let me look.","annotations":[]}]},
      {"type":"function_call","id":"fc_1","call_id":"call_1","name":"get","arguments":"{\"a\":1}"},
      {"type":"function_call","call_id":"call_2","name":"get","arguments":""},
      {"type":"function_call_output","call_id":"call_1","output":"cold"},
      {"type":"function_call_output","call_id":"call_2","output":[{"type":"input_text","text":"warm"}]},
      {"role":"assistant","content":"Both."},{"role":"assistant","content":"Really."}])");
  ASSERT_EQ(messages.size(), 6U);
  EXPECT_EQ(messages[1].role, "assistant");
  EXPECT_EQ(messages[1].reasoning_content, "hm");
  EXPECT_EQ(messages[1].content, "Let me look.");
  ASSERT_EQ(messages[1].tool_calls.size(), 2U);
  EXPECT_EQ(messages[1].tool_calls[0].id, "call_1");
  EXPECT_EQ(messages[1].tool_calls[1].arguments, "{}");
  EXPECT_EQ(messages[2].tool_call_id, "call_1");
  EXPECT_EQ(messages[3].content, "warm");
  EXPECT_EQ(messages[4].content, "Both.");
  EXPECT_EQ(messages[5].content, "Really.");
}

TEST(ResponseItems, ReasoningComesBackHoweverItWasKept) {
  const std::string wrapped = wrap_reasoning("deep thought");
  const std::pair<std::string, std::string> cases[] = {
      {R"("summary":[])", ""},
      {R"("summary":[],"content":null)", ""},
      {R"("summary":[],"encrypted_content":"b3BhcXVl")", ""},
      {R"("summary":[{"type":"summary_text","text":"short"}])", "short"},
      {R"("summary":[],"content":[{"type":"reasoning_text","text":"long"}])", "long"},
      {R"("summary":[],"encrypted_content":")" + wrapped + "\"", "deep thought"},
  };
  for (const auto& entry : cases) {
    const auto messages = said(R"([{"type":"reasoning","id":"rs_1",)" + entry.first +
                               R"(},{"role":"assistant","content":"Hello."}])");
    ASSERT_EQ(messages.size(), 1U) << entry.first;
    EXPECT_EQ(messages[0].reasoning_content, entry.second) << entry.first;
    EXPECT_EQ(messages[0].content, "Hello.");
  }
  EXPECT_FALSE(unwrap_reasoning("====").has_value());
  EXPECT_FALSE(unwrap_reasoning("").has_value());
}

TEST(ResponseItems, AHistoryThatCannotBeIsRefused) {
  const auto check = [](const char* items) {
    const auto call = read(std::string(R"("input":)") + items);
    return check_history(call->items);
  };
  EXPECT_EQ(check(R"([{"type":"function_call_output","call_id":"c","output":"x"}])").error().field, "input");
  EXPECT_EQ(
      check(R"([{"role":"user","id":"msg_1","content":"a"},{"role":"user","id":"msg_1","content":"b"}])")
          .error()
          .reason,
      "duplicate_item");
}

TEST(ResponseItems, PagesGoThroughAllItems) {
  const std::string items = R"([{"id":"a"},{"id":"b"},{"id":"c"}])";
  EXPECT_EQ(
      *item_list_text(items, {.limit = 2}),
      R"({"object":"list","data":[{"id":"c"},{"id":"b"}],"first_id":"c","last_id":"b","has_more":true})");
  EXPECT_EQ(*item_list_text(items, {.limit = 2, .oldest_first = true, .after = "b"}),
            R"({"object":"list","data":[{"id":"c"}],"first_id":"c","last_id":"c","has_more":false})");
  EXPECT_EQ(item_list_text(items, {.after = "z"}).error().field, "after");
  EXPECT_FALSE(item_list_text("damaged", {}));
}

}  // namespace
}  // namespace pensieve::server
