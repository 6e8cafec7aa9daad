// What clients may send: every wrong type and range is refused by name, everything else arrives in the
// request.
#include <gtest/gtest.h>

#include "server/dialects/chat_request.h"
#include "server/dialects/completion_request.h"
#include "server/dialects/errors.h"

namespace pensieve::server {
namespace {

Result<Call> chat(const std::string& fields) {
  const auto body = parse_body(R"({"messages":[{"role":"user","content":"Hi"}])" +
                               (fields.empty() ? "" : "," + fields) + "}");
  return body ? read_chat_call(*body) : Result<Call>(tl::unexpect, body.error());
}
Result<std::vector<ChatMessage>> messages(const std::string& list) {
  const auto body = parse_body(R"({"messages":)" + list + "}");
  return body ? read_messages(*body) : Result<std::vector<ChatMessage>>(tl::unexpect, body.error());
}

struct Wrong {
  const char* field;
  const char* value;
};

TEST(ChatRequest, WrongTypesAndRangesNameTheField) {
  const Wrong cases[] = {
      {"temperature", "\"hot\""},
      {"temperature", "[1]"},
      {"temperature", "-1"},
      {"temperature", "1e9"},
      {"top_p", "\"x\""},
      {"top_p", "-0.1"},
      {"top_p", "1.5"},
      {"max_tokens", "\"5\""},
      {"max_tokens", "1.5"},
      {"max_tokens", "0"},
      {"max_tokens", "-5"},
      {"max_tokens", "1000000000000000000000000000000"},
      {"max_completion_tokens", "-1"},
      {"max_completion_tokens", R"(7,"max_tokens":8)"},
      {"max_tokens", "2147483648"},
      {"stop", R"(["a","b","c","d","e"])"},
      {"reasoning_effort", "\"banana\""},
      {"thinking_budget_tokens", "-2"},
      {"keep_alive", "\"soon\""},
      {"priority", "5"},
      {"return_progress", "true"},
      {"guided_json", "{\"type\":\"object\"}"},
      {"n", "\"two\""},
      {"n", "1.5"},
      {"n", "0"},
      {"n", "100000"},
      {"seed", "\"abc\""},
      {"seed", "10000000000000000000000000000000000000000"},
      {"stop", "5"},
      {"stop", "[5]"},
      {"stop", "{\"a\":1}"},
      {"stop", "\"\""},
      {"stream", "\"yes\""},
      {"stream", "1"},
      {"logprobs", "\"true\""},
      {"top_logprobs", "\"3\""},
      {"top_logprobs", "-1"},
      {"top_logprobs", "1000000"},
      {"top_logprobs", "3"},
      {"logit_bias", "[1]"},
      {"logit_bias", "{\"x\":1}"},
      {"logit_bias", "{\"-1\":1}"},
      {"logit_bias", "{\"5\":\"much\"}"},
      {"presence_penalty", "99"},
      {"frequency_penalty", "{}"},
      {"repeat_penalty", "0"},
      {"min_p", "2"},
      {"top_k", "-7"},
      {"tools", "\"x\""},
      {"response_format", "\"json\""},
      {"stream_options", "\"x\""},
      {"model", "5"},
      {"model", "[\"a\"]"},
      {"tools", "[{\"type\":\"function\"}]"},
      {"tools", "[{\"type\":\"custom\",\"custom\":{\"name\":\"x\"}}]"},
      {"tools", R"([{"type":"function","function":{"name":"x"}},{"function":{"name":"x"}}])"},
      {"tools", R"([{"function":{"name":"x","parameters":"{}"}}])"},
      {"tool_choice", "\"required\""},
      {"tool_choice", "\"sometimes\""},
      {"tool_choice", "{\"type\":\"function\"}"},
      {"tool_choice", R"({"type":"function","function":{"name":"nobody"}})"},
      {"tool_choice", R"({"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}})"},
      {"response_format", "{\"type\":\"yaml\"}"},
      {"response_format", "{\"type\":\"json_schema\"}"},
      {"response_format", R"({"type":"json_schema","json_schema":{"schema":5}})"},
      {"grammar", "5"},
      {"json_schema", "\"object\""},
      {"modalities", R"(["text","audio"])"},
      {"prediction", R"({"type":"content","content":"x"})"},
      {"session", "5"},
      {"dry_multiplier", "0.8"},
      {"xtc_probability", "0.5"},
      {"mirostat", "2"},
      {"modalities", "[\"text\",\"audio\"]"},
      {"modalities", "\"audio\""},
      {"prediction", "{\"type\":\"content\",\"content\":\"x\"}"},
  };
  for (const Wrong& wrong : cases) {
    const auto call = chat("\"" + std::string(wrong.field) + "\":" + wrong.value);
    ASSERT_FALSE(call) << wrong.field << "=" << wrong.value;
    EXPECT_TRUE(call.error().field.starts_with(wrong.field)) << call.error().field;
    EXPECT_NE(call.error().what.find(wrong.field), std::string::npos) << call.error().what;
    EXPECT_EQ(http_status(call.error()), 400);
  }
}

TEST(ChatRequest, NullsDefaultsBookkeepingAndStrangersPass) {
  const auto fine = chat(
      R"("stop":null,"n":null,"seed":null,"tools":[],"tool_choice":"auto","response_format":{"type":"text"},"parallel_tool_calls":true,"modalities":["text"],
      "user":"u","metadata":{"a":"b"},"store":false,"mirostat":0,"dry_base":1.75,"xtc_threshold":0.1,"grammar":"","x_future":{"a":[1]})");
  ASSERT_TRUE(fine) << fine.error().what;
  EXPECT_EQ(fine->unknown, std::vector<std::string>{"x_future"});
}

TEST(ChatRequest, FieldsThatCannotActAreListed) {
  const auto call = chat(R"("user":"u","metadata":{},"store":true,"service_tier":null,"verbosity":"low")");
  ASSERT_TRUE(call) << call.error().what;
  EXPECT_EQ(call->inert, (std::vector<std::string>{"user", "store", "verbosity"}));
}

TEST(ChatRequest, ReasoningHasABudget) {
  const auto budget = [](const std::string& fields) { return chat(fields)->generation.reasoning_tokens; };
  EXPECT_EQ(budget(R"("reasoning_effort":"none")"), 0);
  EXPECT_EQ(budget(R"("reasoning_effort":"minimal")"), 256);
  EXPECT_EQ(budget(R"("reasoning_effort":"medium")"), 8192);
  EXPECT_FALSE(budget(R"("reasoning_effort":"high")"));
  EXPECT_FALSE(budget("\"n\":1"));
  EXPECT_EQ(budget(R"("thinking_budget_tokens":0)"), 0);
  EXPECT_EQ(budget(R"("reasoning_effort":"low","thinking_budget_tokens":7)"), 7) << "a number is exact";
  EXPECT_FALSE(budget(R"("reasoning_effort":"low","thinking_budget_tokens":-1)"));
  const auto off = chat(R"("reasoning_effort":"none")");
  EXPECT_EQ(std::get<ChatRequest>(off->generation.prompt).template_arguments,
            R"({"enable_thinking":false,"thinking":false,"reasoning_effort":"none"})");
}

TEST(ChatRequest, TheUpperBoundIsNamedWhereItIsBroken) {
  EXPECT_NE(chat(R"("max_tokens":3000000000)").error().what.find("2147483647"), std::string::npos);
  EXPECT_NE(chat(R"("max_tokens":0)").error().what.find("between 1"), std::string::npos);
}

TEST(ChatRequest, EveryFieldActs) {
  auto call = chat(
      R"("model":"m","stream":true,"stream_options":{"include_usage":true},"temperature":0,"top_p":0.5,"top_k":3,"min_p":0.1,
      "typical_p":0.9,"repetition_penalty":1.5,"repeat_last_n":-1,"presence_penalty":-2,"frequency_penalty":2,"seed":-2,"n":3,
      "stop":["a","b"],"logit_bias":{"7":-100},"max_tokens":5,"max_completion_tokens":5,"min_tokens":2,"ignore_eos":true,
      "cache_prompt":false,"logprobs":true,"reasoning_effort":"low","chat_template_kwargs":{"x":1,"thinking":3},"keep_alive":"5m","timings_per_token":true)");
  ASSERT_TRUE(call) << call.error().what;
  ModelInfo info;
  info.vocabulary = 8;
  info.defaults.typical_p = 0.3F;
  ASSERT_TRUE(fit_to_model(info, *call));
  const GenerationRequest& request = call->generation;
  const SamplingParams& sampling = request.sampling;
  EXPECT_EQ(call->model, "m");
  EXPECT_TRUE(call->stream && call->include_usage && request.ignore_eos && !request.cache_prompt);
  EXPECT_EQ(sampling.temperature, 0.0F);
  EXPECT_EQ(sampling.top_p, 0.5F);
  EXPECT_EQ(sampling.top_k, 3);
  EXPECT_EQ(sampling.min_p, 0.1F);
  EXPECT_EQ(sampling.typical_p, 0.9F);
  EXPECT_EQ(sampling.repeat_penalty, 1.5F);
  EXPECT_EQ(sampling.repeat_last_n, -1);
  EXPECT_EQ(sampling.presence_penalty, -2.0F);
  EXPECT_EQ(sampling.frequency_penalty, 2.0F);
  EXPECT_EQ(sampling.seed, static_cast<std::uint64_t>(-2));
  ASSERT_EQ(sampling.logit_bias.size(), 1U);
  EXPECT_EQ(sampling.logit_bias[0], (std::pair<std::int32_t, float>{7, -100.0F}));
  EXPECT_EQ(request.choices, 3);
  EXPECT_EQ(request.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.max_tokens, 5);
  EXPECT_EQ(request.min_tokens, 2);
  EXPECT_EQ(request.top_logprobs, 0);
  EXPECT_EQ(std::get<ChatRequest>(request.prompt).template_arguments,
            R"({"enable_thinking":true,"thinking":3,"reasoning_effort":"low","x":1})");
  EXPECT_EQ(request.reasoning_tokens, 1024);
  EXPECT_EQ(call->keep_alive, std::chrono::seconds(300));
  EXPECT_TRUE(call->timings_per_token);

  info.vocabulary = 7;
  const auto refused = fit_to_model(info, *call);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().field, "logit_bias");
  EXPECT_FALSE(chat(R"("seed":-1)")->generation.sampling.seed) << "-1 asks for a random one";
  EXPECT_EQ(chat(R"("seed":18446744073709551615)")->generation.sampling.seed, 18446744073709551615ULL);
}

TEST(ChatMessages, BrokenConversationsAreRefusedByName) {
  for (const char* list : {"[]",
                           "{}",
                           "5",
                           "null",
                           "[\"text\"]",
                           "[null]",
                           "[{}]",
                           R"([{"role":"user"}])",
                           R"([{"content":"x"}])",
                           R"([{"role":"wizard","content":"x"}])",
                           R"([{"role":"user","content":5}])",
                           R"([{"role":5,"content":"x"}])",
                           R"([{"role":"user","content":[{"type":"hologram"}]}])",
                           R"([{"role":"user","content":[{"type":"text"}]}])",
                           R"([{"role":"user","content":["x"]}])",
                           R"([{"role":"user","content":null}])",
                           R"([{"role":"assistant","content":null}])",
                           R"([{"role":"assistant","tool_calls":[{"id":"a","function":{}}]}])",
                           R"([{"role":"assistant","tool_calls":[5]}])",
                           R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}])"}) {
    const auto read = messages(list);
    ASSERT_FALSE(read) << list;
    EXPECT_TRUE(read.error().field.starts_with("messages")) << list << ": " << read.error().field;
  }
  EXPECT_NE(messages(R"([{"role":"user","content":[{"type":"image_url"}]}])").error().what.find("image"),
            std::string::npos);
}

TEST(ChatMessages, HistoryOfToolsAndReasoningArrives) {
  const auto read = messages(
      R"([{"role":"developer","content":""},{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
      {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
      {"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"pong"}]}])");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ((*read)[0].role, "system");
  EXPECT_EQ((*read)[1].content, "a\nb");
  EXPECT_FALSE((*read)[2].content);
  EXPECT_EQ((*read)[2].reasoning_content, "hm");
  EXPECT_EQ((*read)[2].tool_calls[0].arguments, "{\"x\":1}");
  EXPECT_EQ((*read)[3].tool_call_id, "c");
}

const ChatRequest& conversation(const Result<Call>& call) {
  return std::get<ChatRequest>(call->generation.prompt);
}

TEST(ChatTools, ListAndChoiceArrive) {
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"now"}},{"type":"function","function":{"name":"add","description":"Adds.",
      "strict":true,"parameters":{"type":"object","properties":{"b":{},"a":{}}}}}])";
  const auto plain = chat(tools);
  ASSERT_TRUE(plain) << plain.error().what;
  ASSERT_EQ(conversation(plain).tools.size(), 2U);
  EXPECT_EQ(conversation(plain).tools[0].parameters, "");
  EXPECT_EQ(conversation(plain).tools[1].parameters, R"({"type":"object","properties":{"b":{},"a":{}}})");
  EXPECT_TRUE(conversation(plain).tools[1].strict);
  EXPECT_EQ(conversation(plain).tool_choice.mode, ToolChoice::Mode::automatic);

  const auto named = chat(
      tools + R"(,"tool_choice":{"type":"function","function":{"name":"add"}},"parallel_tool_calls":false)");
  ASSERT_TRUE(named) << named.error().what;
  EXPECT_EQ(conversation(named).tool_choice.mode, ToolChoice::Mode::required);
  EXPECT_EQ(conversation(named).tool_choice.names, std::vector<std::string>{"add"});
  EXPECT_FALSE(conversation(named).tool_choice.parallel);

  const auto allowed = chat(
      tools +
      R"(,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"now"}}]}})");
  ASSERT_TRUE(allowed) << allowed.error().what;
  EXPECT_EQ(conversation(allowed).tool_choice.mode, ToolChoice::Mode::automatic);
  EXPECT_EQ(conversation(allowed).tool_choice.names, std::vector<std::string>{"now"});
  EXPECT_EQ(conversation(chat(tools + R"(,"tool_choice":"none")")).tool_choice.mode, ToolChoice::Mode::none);
}

TEST(Constraints, EveryFormArrivesAndOnlyOneAtATime) {
  const auto found = [](const std::string& fields) {
    const auto call = chat(fields);
    EXPECT_TRUE(call) << fields;
    return call ? call->generation.constraint : std::optional<Constraint>();
  };
  using Kind = Constraint::Kind;
  for (const char* form :
       {R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"b":1,"a":2}}})",
        R"("response_format":{"type":"json_schema","schema":{"b":1,"a":2}})",
        R"("response_format":{"type":"json_object","schema":{"b":1,"a":2}})",
        R"("json_schema":{"b":1,"a":2})"}) {
    const auto constraint = found(form);
    ASSERT_TRUE(constraint) << form;
    EXPECT_EQ(constraint->kind, Kind::json_schema);
    EXPECT_EQ(constraint->source, R"({"b":1,"a":2})");
    EXPECT_TRUE(
        std::string(form).starts_with('"' + constraint->field.substr(0, constraint->field.find('.')) + '"'))
        << constraint->field;
  }
  EXPECT_EQ(found(R"("response_format":{"type":"json_object"})")->kind, Kind::json_object);
  EXPECT_EQ(found(R"("grammar":"root ::= \"x\"")")->source, "root ::= \"x\"");
  EXPECT_FALSE(found(R"("response_format":{"type":"text"},"grammar":"")"));
  EXPECT_EQ(chat(R"("response_format":{"type":"json_object"},"grammar":"root ::= x")").error().field,
            "grammar");
}

TEST(CompletionRequest, PromptsOfEveryForm) {
  const auto read = [](const std::string& text) { return read_completion_call(*parse_body(text)); };
  EXPECT_EQ(read(R"({"prompt":"a"})")->prompts.size(), 1U);
  EXPECT_EQ(read(R"({"prompt":["a","b"]})")->prompts.size(), 2U);
  EXPECT_EQ(std::get<1>(read(R"({"prompt":[1,2]})")->prompts[0]), (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(read(R"({"prompt":[[1,2],[3]]})")->prompts.size(), 2U);
  for (const char* bad :
       {"{}", R"({"prompt":5})", R"({"prompt":[]})", R"({"prompt":[[]]})", R"({"prompt":["a",1]})",
        R"({"prompt":[1,"a"]})", R"({"prompt":[-1]})", R"({"prompt":[1.5]})", R"({"prompt":{}})"}) {
    const auto refused = read(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().field, "prompt");
  }
  EXPECT_FALSE(read(R"({"prompt":"a","max_tokens":0})"));
  const auto scored = read(R"({"prompt":"a","max_tokens":0,"echo":true,"logprobs":1})");
  ASSERT_TRUE(scored);
  EXPECT_TRUE(scored->call.generation.prompt_logprobs);
  EXPECT_EQ(scored->call.generation.max_tokens, 0);
  EXPECT_EQ(read(R"({"prompt":"a","suffix":"b"})").error().field, "suffix");
}

TEST(Body, MustBeOneObject) {
  for (const char* bad : {"", "   ", "[1]", "\"hi\"", "5", "null", "{\"a\":1} x", "{'a':1}", "{\"a\":NaN}",
                          "{\"a\":1e999}", "{\"a\":\"\\ud83e\"}", "{\"a\":\"\xff\"}"}) {
    const auto body = parse_body(bad);
    ASSERT_FALSE(body) << bad;
    EXPECT_EQ(http_status(body.error()), 400);
  }
  EXPECT_EQ(parse_body("{").error().what.find("not valid JSON"),
            parse_body("{").error().what.rfind("not valid JSON"))
      << "said once";
  EXPECT_NE(parse_body("{\"model\": \"x\",\n \"messages\": [}").error().what.find("line 2"),
            std::string::npos);
}

TEST(Errors, HaveAllFourFieldsAndTheNumbers) {
  const Error error{Error::Code::exhausted, "too \"long\"", "", "context_length_exceeded", {{"n_ctx", 5}}};
  EXPECT_EQ(
      error_body(400, error),
      R"({"error":{"message":"too \"long\"","type":"invalid_request_error","param":null,"code":"context_length_exceeded","n_ctx":5}})");
  EXPECT_EQ(http_status(error), 400);
  EXPECT_EQ(http_status({Error::Code::exhausted, "queue", {}, {}, {}}), 503);
  EXPECT_EQ(http_status({Error::Code::internal, "x", {}, {}, {}}), 500);
}

}  // namespace
}  // namespace pensieve::server
