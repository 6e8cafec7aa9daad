// Every field of every message survives the way through a frame, and no bytes do harm.
#include "manage/wire/messages.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace pensieve::manage::wire {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Frames are compared as bytes: with each field of a value of its own, equal bytes after a round trip mean
// that every field was carried.
template <class Message>
std::string frame_of(const Message& message) {
  std::string frame;
  EXPECT_TRUE(append_frame(message, frame));
  return frame;
}
std::string_view body(const std::string& frame) {
  return std::string_view(frame).substr(4);
}

template <class Kind>
Kind through(const Kind& message) {
  const std::string frame = frame_of(ToGateway(message));
  const Result<ToGateway> back = read_to_gateway(body(frame));
  EXPECT_TRUE(back) << back.error().what;
  EXPECT_EQ(frame_of(*back), frame);
  return std::get<Kind>(*back);
}
template <class Kind>
Kind to_worker(const Kind& message) {
  const std::string frame = frame_of(ToWorker(message));
  const Result<ToWorker> back = read_to_worker(body(frame));
  EXPECT_TRUE(back) << back.error().what;
  EXPECT_EQ(frame_of(*back), frame);
  return std::get<Kind>(*back);
}

ChatRequest conversation() {
  ChatRequest chat;
  ChatMessage message{"assistant", "content", "thought", {{"call-1", "look", "{\"a\":1}"}}, "call-0", "name"};
  chat.messages = {message, {"user", std::nullopt, "", {}, "", ""}};
  chat.tools = {{"look", "looks", "{\"type\":\"object\"}", true}};
  chat.tool_choice = {ToolChoice::Mode::required, {"look"}, false};
  chat.add_generation_prompt = false;
  chat.template_arguments = "{\"x\":2}";
  return chat;
}

GenerationRequest request() {
  GenerationRequest made;
  made.request_id = "req-1";
  made.prompt = conversation();
  made.sampling = {{{5, -1.5F}, {7, 2.5F}}, 1.1F, 65, 0.2F, 0.3F, 40, 0.4F, 0.5F, 0.6F, 0.7F,
                   0xFFFFFFFFFFFFFFFEULL};
  made.max_tokens = 11;
  made.min_tokens = 12;
  made.stop = {"one", "two"};
  made.ignore_eos = true;
  made.constraint = Constraint{Constraint::Kind::lark, "start: x"};
  made.reasoning_tokens = 13;
  made.choices = 14;
  made.top_logprobs = 15;
  made.prompt_logprobs = true;
  made.cache_prompt = false;
  made.parse_special = false;
  made.add_special = false;
  return made;
}

TEST(Wire, ARequestArrivesWhole) {
  const Submit back = to_worker(Submit{77, request()});
  EXPECT_EQ(back.id, 77U);
  const GenerationRequest& got = back.request;
  EXPECT_EQ(got.request_id, "req-1");
  const auto& chat = std::get<ChatRequest>(got.prompt);
  ASSERT_EQ(chat.messages.size(), 2U);
  EXPECT_EQ(chat.messages[0].role, "assistant");
  EXPECT_EQ(chat.messages[0].content, "content");
  EXPECT_EQ(chat.messages[0].reasoning_content, "thought");
  ASSERT_EQ(chat.messages[0].tool_calls.size(), 1U);
  EXPECT_EQ(chat.messages[0].tool_calls[0].arguments, "{\"a\":1}");
  EXPECT_EQ(chat.messages[0].tool_call_id, "call-0");
  EXPECT_EQ(chat.messages[0].name, "name");
  EXPECT_FALSE(chat.messages[1].content);
  ASSERT_EQ(chat.tools.size(), 1U);
  EXPECT_EQ(chat.tools[0].description, "looks");
  EXPECT_TRUE(chat.tools[0].strict);
  EXPECT_EQ(chat.tool_choice.mode, ToolChoice::Mode::required);
  EXPECT_THAT(chat.tool_choice.names, ElementsAre("look"));
  EXPECT_FALSE(chat.tool_choice.parallel);
  EXPECT_FALSE(chat.add_generation_prompt);
  EXPECT_EQ(chat.template_arguments, "{\"x\":2}");
  EXPECT_EQ(got.sampling.logit_bias, request().sampling.logit_bias);
  EXPECT_EQ(got.sampling.top_k, 40);
  EXPECT_EQ(got.sampling.min_p, 0.6F);
  EXPECT_EQ(got.sampling.temperature, 0.7F);
  EXPECT_EQ(got.sampling.seed, 0xFFFFFFFFFFFFFFFEULL);
  EXPECT_EQ(got.max_tokens, 11);
  EXPECT_EQ(got.min_tokens, 12);
  EXPECT_THAT(got.stop, ElementsAre("one", "two"));
  EXPECT_EQ(got.constraint->kind, Constraint::Kind::lark);
  EXPECT_EQ(got.constraint->source, "start: x");
  EXPECT_EQ(got.reasoning_tokens, 13);
  EXPECT_EQ(got.choices, 14);
  EXPECT_EQ(got.top_logprobs, 15);
  EXPECT_TRUE(got.ignore_eos && got.prompt_logprobs);
  EXPECT_FALSE(got.cache_prompt || got.parse_special || got.add_special);
}

TEST(Wire, PromptsOfEveryKind) {
  Submit submit{1, {}};
  submit.request.prompt = std::string("text \xFF\0 bytes", 13);
  EXPECT_EQ(std::get<std::string>(to_worker(submit).request.prompt), std::string("text \xFF\0 bytes", 13));
  submit.request.prompt = std::vector<std::int32_t>{1, -2, 3};
  EXPECT_THAT(std::get<std::vector<std::int32_t>>(to_worker(submit).request.prompt), ElementsAre(1, -2, 3));
}

TEST(Wire, OtherQuestionsArriveWhole) {
  Load load{"/a/b.gguf", "b", {}, {}, {123, 45}};
  load.hardware = {"null", 3, "avx2"};
  load.engine = {1, 2, 3, 4, 5, 6, "q8_0", false};
  const Load got = to_worker(load);
  EXPECT_EQ(got.path, "/a/b.gguf");
  EXPECT_EQ(got.hardware.isa, "avx2");
  EXPECT_EQ(got.budget.available, 123U);
  EXPECT_EQ(got.budget.least_context, 45);
  EXPECT_EQ(got.engine.kv_tokens, 6);
  EXPECT_EQ(got.engine.kv_type, "q8_0");
  EXPECT_FALSE(got.engine.prefix_cache);
  EXPECT_THAT(to_worker(Examine{{"a", "b"}}).paths, ElementsAre("a", "b"));
  EXPECT_EQ(to_worker(Cancel{9}).id, 9U);
  EXPECT_EQ(to_worker(Render{2, conversation()}).request.tools.size(), 1U);
  EXPECT_EQ(to_worker(Count{3, conversation()}).request.messages.size(), 2U);
  const Tokenize tokenize = to_worker(Tokenize{4, "text", {true, true}});
  EXPECT_EQ(tokenize.text, "text");
  EXPECT_TRUE(tokenize.options.add_special && tokenize.options.parse_special);
  EXPECT_THAT(to_worker(Detokenize{5, {7, 8}}).tokens, ElementsAre(7, 8));
  const Embed embed = to_worker(
      Embed{6, {"id", {std::string("x"), std::vector<std::int32_t>{4}, TextPair{"query", "text"}}, true}});
  EXPECT_EQ(std::get<TextPair>(embed.request.inputs[2]).second, "text");
  EXPECT_EQ(std::get<std::string>(embed.request.inputs[0]), "x");
  EXPECT_TRUE(embed.request.truncate);
}

TEST(Wire, EventsArriveWhole) {
  const TokenLogprob logprob{3, -0.5F, "\xE2\x82", {{4, -1.5F, "b"}, {5, -2.5F, "c"}}};
  const auto event = [](decltype(ReplyEvent::what) what) { return Event{9, {2, std::move(what)}}; };
  EXPECT_EQ(std::get<Started>(through(event(Started{3, 4})).event.what).cached_tokens, 4);
  const Event prompt = through(event(PromptLogprobs{{{1, std::nanf(""), "x", {}}, logprob}}));
  EXPECT_TRUE(std::isnan(std::get<PromptLogprobs>(prompt.event.what).tokens[0].logprob));
  const Event text = through(event(TextDelta{"häh", true, {logprob}, 7}));
  EXPECT_EQ(text.event.choice, 2);
  const auto& delta = std::get<TextDelta>(text.event.what);
  EXPECT_EQ(delta.text, "häh");
  EXPECT_TRUE(delta.reasoning);
  EXPECT_EQ(delta.tokens, 7);
  EXPECT_EQ(delta.logprobs[0].bytes, "\xE2\x82");
  EXPECT_EQ(delta.logprobs[0].top[1].bytes, "c");
  const auto call = std::get<ToolCallDelta>(through(event(ToolCallDelta{1, "id", "name", "{"})).event.what);
  EXPECT_EQ(call.id + call.name + call.arguments, "idname{");
  const auto finished = std::get<Finished>(
      through(event(Finished{FinishReason::tool_calls, "stop", {1, 2, 3, 4}, {5.5, 6.5, 7.5}})).event.what);
  EXPECT_EQ(finished.reason, FinishReason::tool_calls);
  EXPECT_EQ(finished.usage.reasoning_tokens, 4);
  EXPECT_EQ(finished.timings.predict, 7.5);
  const Error error{Error::Code::exhausted, "what", "field", "reason", {{"n_ctx", 5}}};
  const Error got = std::get<Failed>(through(event(Failed{error})).event.what).error;
  EXPECT_EQ(got.code, Error::Code::exhausted);
  EXPECT_EQ(got.what + got.field + got.reason, "whatfieldreason");
  EXPECT_EQ(got.numbers, error.numbers);
}

TEST(Wire, OtherAnswersArriveWhole) {
  ModelInfo info{"n", "/p", "gguf", "llama", "q4_1",         "t",     1, 2, 3, 4, 5,
                 6,   7,    8,      9,       {"completion"}, "{{x}}", {}};
  info.defaults.top_p = 0.25F;
  const ModelInfo got = through(Ready{info}).info;
  EXPECT_EQ(got.chat_template, "{{x}}");
  EXPECT_EQ(got.created, 9);
  EXPECT_EQ(got.defaults.top_p, 0.25F);
  EXPECT_EQ(through(LoadFailed{{Error::Code::exhausted, "no", "", "", {}}}).error.what, "no");
  const InferenceStats stats = through(Stats{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}).stats;
  EXPECT_EQ(stats.steps, 7U);
  EXPECT_EQ(stats.memory_bytes, 12U);
  EXPECT_EQ(std::get<std::string>(through(Answer{1, std::string("\xFF")}).value), "\xFF");
  EXPECT_THAT(std::get<TokenizedText>(through(Answer{1, TokenizedText{{1}, {"\x80"}}}).value).pieces,
              ElementsAre("\x80"));
  const Answer embedded = through(Answer{1, Embeddings{{{0.5F}, {1.5F, 2.5F}}, 3}});
  EXPECT_THAT(std::get<Embeddings>(embedded.value).vectors[1], ElementsAre(1.5F, 2.5F));
  EXPECT_EQ(std::get<std::int64_t>(through(Answer{1, std::int64_t{-5}}).value), -5);
  model::Examined examined{info, Error{Error::Code::io, "r", "", "", {}}, "problem", "base", "135M"};
  const Examined file = through(Examined{4, examined});
  EXPECT_EQ(file.index, 4U);
  EXPECT_EQ(file.what.refusal->what + file.what.problem + file.what.basename + file.what.size_label,
            "rproblembase135M");
}

TEST(Wire, TextThatIsNoUtf8IsRepairedWhereTextIsPromised) {
  const Event event = through(Event{1, {0, TextDelta{"ok", false, {}, 1}}});
  std::string frame = frame_of(ToGateway(event));
  frame[frame.find("ok")] = '\xFF';
  const Result<ToGateway> back = read_to_gateway(body(frame));
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<TextDelta>(std::get<Event>(*back).event.what).text, "\xEF\xBF\xBDk");
}

// Whatever is cut off, added or claimed is refused, and never believed before it was read.
TEST(Wire, BrokenFramesAreRefused) {
  const std::string frame = frame_of(ToWorker(Submit{1, request()}));
  for (std::size_t size = 0; size < body(frame).size(); ++size)
    EXPECT_FALSE(read_to_worker(body(frame).substr(0, size))) << size;
  EXPECT_FALSE(read_to_worker(std::string(body(frame)) + "x"));
  EXPECT_FALSE(read_to_worker("\x7F"));
  for (std::size_t at = 0; at < body(frame).size(); ++at) {
    for (const char change : {'\x01', '\x80', '\xFF'}) {
      std::string changed(body(frame));
      changed[at] = static_cast<char>(changed[at] ^ change);
      (void)read_to_worker(changed);
      (void)read_to_gateway(changed);
    }
  }
}

TEST(Wire, CountsAreCheckedBeforeAnythingIsAllocated) {
  std::string frame = frame_of(ToWorker(Detokenize{1, {1, 2}}));
  const std::uint32_t huge = std::numeric_limits<std::uint32_t>::max();
  std::memcpy(frame.data() + 4 + 1 + 8, &huge, sizeof huge);
  EXPECT_FALSE(read_to_worker(body(frame)));
}

TEST(Wire, AFrameHasALargestSize) {
  std::string out = "before";
  EXPECT_FALSE(append_frame(ToWorker(Tokenize{1, std::string(kLargestFrame, 'x'), {}}), out));
  EXPECT_EQ(out, "before");
}

TEST(Wire, BytesAreCutIntoFramesHoweverTheyCome) {
  std::string bytes =
      frame_of(ToWorker(Cancel{1})) + frame_of(ToWorker(Cancel{2})) + frame_of(ToWorker(Cancel{3}));
  for (const std::size_t step : {std::size_t{1}, std::size_t{5}, bytes.size()}) {
    FrameBuffer buffer;
    std::vector<std::uint64_t> ids;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      const std::string_view piece = std::string_view(bytes).substr(at, step);
      std::memcpy(buffer.room(piece.size()), piece.data(), piece.size());
      buffer.filled(piece.size());
      for (auto frame = buffer.next(); *frame; frame = buffer.next())
        ids.push_back(std::get<Cancel>(*read_to_worker(**frame)).id);
    }
    EXPECT_THAT(ids, ElementsAre(1, 2, 3));
  }
}

TEST(Wire, AFrameThatClaimsTooMuchIsRefusedAtOnce) {
  for (const std::uint32_t length : {0U, static_cast<std::uint32_t>(kLargestFrame) + 1}) {
    FrameBuffer buffer;
    std::memcpy(buffer.room(4), &length, 4);
    buffer.filled(4);
    const auto frame = buffer.next();
    ASSERT_FALSE(frame);
    EXPECT_THAT(frame.error().what, HasSubstr("claims"));
  }
}

}  // namespace
}  // namespace pensieve::manage::wire
