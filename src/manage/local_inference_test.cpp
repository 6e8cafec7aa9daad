// One model in this process, from request to events: a tiny model over backends that need no real weights.
#include "manage/local_inference.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "hal/backends.h"
#include "model/tiny_llama_for_test.h"
#include "util/json.h"

namespace pensieve::manage {
namespace {

using testing::HasSubstr;

// Opens reasoning at the end of each prompt.
constexpr const char* kThinking =
    "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}<think>{% endif %}"
    "{# </think> #}";
constexpr const char* kTemplate =
    "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}"
    "{% for m in messages %}<|begin|>{{ m.role }}:{{ m.content }}<|end|>{% endfor %}{% if "
    "add_generation_prompt %}<|begin|>{% endif %}";

// Collects events; waits for the last one.
class Events {
 public:
  std::unique_ptr<ReplySink> sink() { return std::make_unique<Sink>(*this); }
  std::vector<ReplyEvent> wait() {
    std::unique_lock lock(mutex_);
    closed_.wait(lock, [this] { return done_; });
    return std::move(events_);
  }

 private:
  class Sink final : public ReplySink {
   public:
    explicit Sink(Events& events) : events_(events) {}
    ~Sink() override {
      const std::lock_guard lock(events_.mutex_);
      events_.done_ = true;
      events_.closed_.notify_all();
    }
    void on_event(ReplyEvent event) override {
      const std::lock_guard lock(events_.mutex_);
      events_.events_.push_back(std::move(event));
    }

   private:
    Events& events_;
  };
  std::mutex mutex_;
  std::condition_variable closed_;
  std::vector<ReplyEvent> events_;
  bool done_ = false;
};

template <class T>
std::vector<T> only(const std::vector<ReplyEvent>& events) {
  std::vector<T> found;
  for (const ReplyEvent& event : events) {
    if (const T* held = std::get_if<T>(&event.what)) found.push_back(*held);
  }
  return found;
}

ChatRequest say(std::string text) {
  ChatMessage message;
  message.role = "user";
  message.content = std::move(text);
  ChatRequest request;
  request.messages.push_back(std::move(message));
  return request;
}

class LocalInferenceTest : public testing::Test {
 protected:
  LocalInferenceTest()
      : path_(std::filesystem::temp_directory_path() /
              ("pensieve-local-" + std::to_string(::getpid()) + ".gguf")) {}
  ~LocalInferenceTest() override { std::filesystem::remove(path_); }

  std::unique_ptr<LocalInference> load(bool with_template = true, const std::string& backend = "null",
                                       const engine::Options& options = {}) {
    model::testing::TinyLlama tiny;
    tiny.context = context_;
    const char* chat = template_;
    if (with_template)
      tiny.extra = [chat](model::testing::GgufWriter& file) { file.text("tokenizer.chat_template", chat); };
    std::ofstream(path_, std::ios::binary) << model::testing::tiny_llama(tiny).bytes;
    hal::Options hardware;
    hardware.backend = backend;
    hardware.threads = 1;
    Result<std::unique_ptr<LocalInference>> model =
        LocalInference::load(path_.string(), "tiny", hardware, options, log_);
    EXPECT_TRUE(model) << (model ? "" : model.error().what);
    return model ? std::move(*model) : nullptr;
  }
  static std::vector<ReplyEvent> run(LocalInference& model, GenerationRequest request) {
    Events events;
    model.submit(std::move(request), events.sink());
    return events.wait();
  }
  template <class Prompt>
  static GenerationRequest asking(Prompt prompt, std::int64_t tokens = 4) {
    GenerationRequest request;
    request.prompt = std::move(prompt);
    request.max_tokens = tokens;
    request.sampling.temperature = 0;
    return request;
  }
  static Error failure(LocalInference& model, GenerationRequest request) {
    const std::vector<Failed> failed = only<Failed>(run(model, std::move(request)));
    EXPECT_EQ(failed.size(), 1U);
    return failed.empty() ? Error{} : failed.front().error;
  }

  std::filesystem::path path_;
  std::uint32_t context_ = 128;  // of the models that load() makes
  const char* template_ = kTemplate;
  util::Log log_{util::LogLevel::off};
};

TEST_F(LocalInferenceTest, AnswersTextTokensAndConversations) {
  const auto model = load();
  for (const GenerationRequest& request :
       {asking(std::string("hello")), asking(std::vector<std::int32_t>{65, 66}), asking(say("hello"))}) {
    const std::vector<ReplyEvent> events = run(*model, request);
    ASSERT_EQ(only<Finished>(events).size(), 1U);
    EXPECT_EQ(only<Finished>(events).front().reason, FinishReason::length);
    EXPECT_EQ(only<Finished>(events).front().usage.completion_tokens, 4);
  }
  EXPECT_EQ(model->info().name, "tiny");
  EXPECT_EQ(model->info().effective_context, 128);
  EXPECT_EQ(model->info().parallel, 16);
  EXPECT_EQ(model->stats().finished, 3U);
}

TEST_F(LocalInferenceTest, RealArithmeticAnswersToo) {
  const auto model = load(true, "reference");
  EXPECT_EQ(only<Finished>(run(*model, asking(say("hello"), 2))).size(), 1U);
}

TEST_F(LocalInferenceTest, ProblemsArriveAsEvents) {
  const auto model = load(false);
  EXPECT_EQ(failure(*model, asking(std::string())).code, Error::Code::invalid);
  EXPECT_THAT(failure(*model, asking(std::vector<std::int32_t>{1, 258})).what, HasSubstr("258"));
  EXPECT_THAT(failure(*model, asking(std::vector<std::int32_t>{-1})).what, HasSubstr("0 to 257"));
  EXPECT_THAT(failure(*model, asking(say("hello"))).what, HasSubstr("/v1/completions"));
  EXPECT_EQ(failure(*model, asking(std::string(1000, 'x'))).reason, "context_length_exceeded");
  EXPECT_GE(model->stats().failed, 4U);
}

TEST_F(LocalInferenceTest, CancelReachesWhatHasNotBeenTokenized) {
  const auto model = load();
  std::promise<void> gate;
  model->render(say("x"),
                [opened = gate.get_future().share()](const Result<std::string>&) { opened.wait(); });
  Events events;
  GenerationRequest request = asking(std::string("hello"), 100);
  request.choices = 2;
  model->cancel(model->submit(std::move(request), events.sink()));
  gate.set_value();
  const std::vector<ReplyEvent> all = events.wait();
  const std::vector<Finished> finished = only<Finished>(all);
  ASSERT_EQ(finished.size(), 2U);
  EXPECT_EQ(all.size(), 2U);
  for (const Finished& end : finished) EXPECT_EQ(end.reason, FinishReason::cancelled);
  EXPECT_EQ(model->stats().cancelled, 1U);
  model->cancel(12345);  // unknown: ignored
}

TEST_F(LocalInferenceTest, TooManyWaitingToBeReadAreRefused) {
  engine::Options options;
  options.parallel = 1;
  options.queue = 2;
  const auto model = load(true, "null", options);
  std::promise<void> gate, running;
  model->render(say("x"), [&, opened = gate.get_future().share()](const Result<std::string>&) {
    running.set_value();
    opened.wait();
  });
  running.get_future().wait();
  std::vector<std::unique_ptr<Events>> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(std::make_unique<Events>());
    model->submit(asking(std::string("hello")), waiting.back()->sink());
  }
  const Error refused = failure(*model, asking(std::string("one more")));
  EXPECT_EQ(refused.code, Error::Code::exhausted);
  EXPECT_EQ(refused.reason, "queue_full");
  std::promise<bool> counted;
  model->count(say("x"), [&](const Result<std::int64_t>& count) { counted.set_value(count.has_value()); });
  EXPECT_FALSE(counted.get_future().get());
  gate.set_value();
  for (const auto& events : waiting) EXPECT_EQ(events->wait().empty(), false);
}

TEST_F(LocalInferenceTest, WhoWaitsAtTheEndIsAnswered) {
  Events events;
  std::promise<bool> counted;
  {
    const auto model = load();
    std::promise<void> gate;
    model->render(say("x"),
                  [opened = gate.get_future().share()](const Result<std::string>&) { opened.wait(); });
    model->submit(asking(std::string("hello")), events.sink());
    model->count(say("x"), [&](const Result<std::int64_t>& count) { counted.set_value(count.has_value()); });
    gate.set_value();
  }
  const std::vector<ReplyEvent> all = events.wait();
  EXPECT_EQ(only<Finished>(all).size() + only<Failed>(all).size(), 1U);
  (void)counted.get_future().get();  // answered, one way or the other
}

TEST_F(LocalInferenceTest, TextServicesRunElsewhereAndAgree) {
  const auto model = load();
  std::promise<std::thread::id> where;
  std::promise<std::string> rendered;
  model->render(say("hi"), [&](const Result<std::string>& text) {
    where.set_value(std::this_thread::get_id());
    rendered.set_value(text.value_or("?"));
  });
  EXPECT_NE(where.get_future().get(), std::this_thread::get_id());
  EXPECT_EQ(rendered.get_future().get(), "<|begin|>user:hi<|end|><|begin|>");

  std::promise<TokenizedText> tokenized;
  model->tokenize("a\xC3\xA9", {},
                  [&](Result<TokenizedText> text) { tokenized.set_value(std::move(text.value())); });
  const TokenizedText text = tokenized.get_future().get();
  EXPECT_THAT(text.pieces, testing::ElementsAre("a", "\xC3", "\xA9"));
  std::promise<std::string> back;
  model->detokenize(text.tokens,
                    [&](const Result<std::string>& joined) { back.set_value(joined.value_or("?")); });
  EXPECT_EQ(back.get_future().get(), "a\xC3\xA9");
  std::promise<bool> refused;
  model->detokenize({999}, [&](const Result<std::string>& joined) { refused.set_value(!joined); });
  EXPECT_TRUE(refused.get_future().get());
}

TEST_F(LocalInferenceTest, UsersCannotWriteControlTokens) {
  const auto model = load();
  const auto count = [&](const std::string& text) {
    std::promise<std::int64_t> counted;
    model->count(say(text),
                 [&](const Result<std::int64_t>& result) { counted.set_value(result.value_or(-1)); });
    return counted.get_future().get();
  };
  EXPECT_EQ(count("<|end|>"), count("1234567"));  // seven bytes either way, never one token
}

TEST_F(LocalInferenceTest, MemoryIsRefusedWithNumbers) {
  load();
  const Result<std::unique_ptr<Backend>> backend = hal::open_backend("reference", {.threads = 1, .isa = ""});
  ASSERT_TRUE(backend);
  const Result<model::LoadedModel> loaded = model::load(path_.string(), **backend);
  ASSERT_TRUE(loaded);
  const Result<MemoryPlan> plenty = plan_memory(**backend, *loaded, {}, std::size_t{1} << 30);
  ASSERT_TRUE(plenty) << plenty.error().what;
  EXPECT_LE(plenty->estimate.total(), plenty->available);
  const Result<MemoryPlan> tight = plan_memory(**backend, *loaded, {}, 1000);
  ASSERT_FALSE(tight);
  EXPECT_EQ(tight.error().code, Error::Code::exhausted);
  EXPECT_FALSE(tight.error().numbers.empty());
}

TEST_F(LocalInferenceTest, WhatIsNoModelIsRefused) {
  EXPECT_FALSE(LocalInference::load("/nonexistent.gguf", "x", {}, {}, log_));
  hal::Options nowhere;
  nowhere.backend = "abacus";
  load();
  EXPECT_FALSE(LocalInference::load(path_.string(), "x", nowhere, {}, log_));
}

std::string text_of(const std::vector<ReplyEvent>& events) {
  std::string text;
  for (const TextDelta& delta : only<TextDelta>(events)) text += delta.text;
  return text;
}

// The test's model likes all tokens alike, and blanks, which may stand nearly everywhere, come first.
void shun_blanks(GenerationRequest& request) {
  for (const char blank : std::string_view(" \t\n\r"))
    request.sampling.logit_bias.emplace_back(blank, -100.0F);
}

TEST_F(LocalInferenceTest, AConstraintIsKeptWhateverTheModelWouldSay) {
  const auto model = load(true, "reference");
  for (const double temperature : {0.0, 1.5}) {
    for (const bool chat : {false, true}) {
      GenerationRequest request = chat ? asking(say("go"), 110) : asking(std::string("go"), 110);
      request.sampling.temperature = static_cast<float>(temperature);
      shun_blanks(request);
      request.constraint =
          Constraint{Constraint::Kind::json_schema,
                     R"({"type":"array","prefixItems":[{"enum":["x","yy"]}],"items":false,"minItems":1})"};
      const std::vector<ReplyEvent> events = run(*model, std::move(request));
      const Result<util::Json> value = util::parse_json(text_of(events));
      ASSERT_TRUE(value) << text_of(events);
      EXPECT_TRUE((*value)[0] == "x" || (*value)[0] == "yy");
      EXPECT_EQ(only<Finished>(events).front().reason, FinishReason::stop);
    }
  }
}

TEST_F(LocalInferenceTest, ReasoningHasABudgetAndAConstraintBeginsAfterIt) {
  template_ = kThinking;
  const auto model = load(true, "reference");
  for (const std::int64_t budget : {0, 5}) {
    for (const bool constrained : {false, true}) {
      GenerationRequest request = asking(say("go"), 60);
      shun_blanks(request);
      request.ignore_eos = !constrained;
      request.reasoning_tokens = budget;
      if (constrained) request.constraint = Constraint{Constraint::Kind::json_schema, R"({"enum":["xy"]})"};
      const std::vector<ReplyEvent> events = run(*model, std::move(request));
      std::string reasoning;
      for (const TextDelta& delta : only<TextDelta>(events)) reasoning += delta.reasoning ? delta.text : "";
      EXPECT_EQ(reasoning.size(), static_cast<std::size_t>(budget)) << "a token is a byte";
      const std::string answer = text_of(events).substr(reasoning.size());
      if (constrained) {
        EXPECT_EQ(answer, R"("xy")");
      } else {
        EXPECT_EQ(answer.size(), 60U - static_cast<std::size_t>(budget) - 8) << answer;
      }
    }
  }
}

TEST_F(LocalInferenceTest, StrictToolsAreEnforcedOrRefused) {
  context_ = 2048;
  ChatRequest chat = say("go");
  chat.tools = {{"f", "", R"({"type":"object","properties":{"n":{"const":1}},"required":["n"]})", true}};
  template_ = "{# <tool_call> #}{% for m in messages %}{{ m.content }}{% endfor %}";
  {
    const auto model = load(true, "reference");
    EXPECT_EQ(only<Finished>(run(*model, asking(chat))).size(), 1U) << "free to answer";
    ChatRequest odd = chat;
    odd.tools.front().parameters = R"({"type":"object","uniqueItems":true})";
    const Error refused = failure(*model, asking(odd));
    EXPECT_EQ(refused.field, "tools");
    EXPECT_THAT(refused.what, HasSubstr("uniqueItems"));
    odd.tools.front().strict = false;
    EXPECT_EQ(only<Finished>(run(*model, asking(odd))).size(), 1U) << "nobody asked for its schema";
  }
  template_ = "{# <|tool_list_start|> #}{% for m in messages %}{{ m.content }}{% endfor %}";
  const auto model = load(true, "reference");
  const Error refused = failure(*model, asking(chat));
  EXPECT_EQ(refused.field, "tools");
  EXPECT_THAT(refused.what, HasSubstr("strict"));
  chat.tools.front().strict = false;
  chat.tool_choice.parallel = false;
  EXPECT_EQ(only<Finished>(run(*model, asking(chat))).size(), 1U);
}

TEST_F(LocalInferenceTest, ErrorsNameTheFieldThatTheClientSent) {
  const auto model = load();
  EXPECT_EQ(failure(*model, asking(say(std::string(1000, 'x')))).field, "messages");
  EXPECT_EQ(failure(*model, asking(std::string(1000, 'x'))).field, "prompt");
  GenerationRequest request = asking(say("go"));
  request.constraint = Constraint{Constraint::Kind::json_schema, R"({"uniqueItems":true})", "json_schema"};
  EXPECT_EQ(failure(*model, std::move(request)).field, "json_schema");
}

TEST_F(LocalInferenceTest, ARequiredCallIsMadeAndItsArgumentsComeInPieces) {
  context_ = 2048;  // a token for each byte of the tools' description
  const auto model = load(true, "reference");
  ChatRequest chat = say("go");
  chat.tools = {
      {"first", "",
       R"({"type":"object","properties":{"n":{"const":12}},"required":["n"],"additionalProperties":false})",
       false},
      {"second", "", R"({"type":"object","additionalProperties":false})", false}};
  chat.tool_choice = {ToolChoice::Mode::required, {"first"}, false};
  GenerationRequest request = asking(chat, 100);
  shun_blanks(request);
  const std::vector<ReplyEvent> events = run(*model, std::move(request));
  const std::vector<ToolCallDelta> calls = only<ToolCallDelta>(events);
  ASSERT_GT(calls.size(), 3U);
  EXPECT_EQ(calls.front().name, "first");
  std::string arguments;
  for (const ToolCallDelta& delta : calls) arguments += delta.arguments;
  EXPECT_EQ(util::parse_json(arguments).value(), util::Json::parse(R"({"n":12})"));
  EXPECT_EQ(text_of(events), "");
  EXPECT_EQ(only<Finished>(events).front().reason, FinishReason::tool_calls);
}

TEST_F(LocalInferenceTest, WhatCannotBeEnforcedIsRefusedByName) {
  const auto model = load(true, "reference");
  GenerationRequest request = asking(say("go"));
  request.constraint = Constraint{Constraint::Kind::json_schema, R"({"type":"array","uniqueItems":true})"};
  const Error error = failure(*model, std::move(request));
  EXPECT_EQ(error.code, Error::Code::invalid);
  EXPECT_EQ(error.field, "response_format");
  EXPECT_THAT(error.what, HasSubstr("uniqueItems"));
  ChatRequest chat = say("go");
  chat.tools = {{"odd", "", R"({"type":"objekt"})", false}};
  chat.tool_choice.mode = ToolChoice::Mode::required;
  const Error tools = failure(*model, asking(chat));
  EXPECT_EQ(tools.field, "tools");
  EXPECT_THAT(tools.what, HasSubstr("objekt"));
}

}  // namespace
}  // namespace pensieve::manage
