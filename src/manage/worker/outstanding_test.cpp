// What a worker may say about what was asked, and what gives it away.
#include "manage/worker/outstanding.h"

#include <gmock/gmock.h>

#include <stdexcept>

namespace pensieve::manage {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Recorder final : public ReplySink {
 public:
  explicit Recorder(std::vector<ReplyEvent>& events, bool broken = false)
      : events_(events), broken_(broken) {}
  void on_event(ReplyEvent event) override {
    if (broken_) throw std::runtime_error("the client is gone");
    events_.push_back(std::move(event));
  }

 private:
  std::vector<ReplyEvent>& events_;
  bool broken_;
};

class OutstandingTest : public testing::Test {
 protected:
  GenerationId ask(std::int32_t choices = 1, std::int64_t max_tokens = 10) {
    GenerationRequest request;
    request.choices = choices;
    request.max_tokens = max_tokens;
    return outstanding.add(request, 100, std::make_unique<Recorder>(events));
  }
  bool say(GenerationId id, std::int32_t choice, decltype(ReplyEvent::what) what, std::size_t bytes = 50) {
    return outstanding.receive(wire::Event{id, {choice, std::move(what)}}, bytes).has_value();
  }
  std::vector<ReplyEvent> events;
  Outstanding outstanding;
};

TEST_F(OutstandingTest, EventsReachTheirSinkUntilAllChoicesEnded) {
  const GenerationId id = ask(2);
  EXPECT_TRUE(say(id, 0, Started{}));
  EXPECT_TRUE(say(id, 1, TextDelta{"x", false, {}, 1}));
  EXPECT_TRUE(say(id, 0, Finished{}));
  EXPECT_EQ(outstanding.size(), 1U);
  EXPECT_TRUE(say(id, 1, Finished{}));
  EXPECT_EQ(outstanding.size(), 0U);
  EXPECT_TRUE(say(id, 1, TextDelta{"late", false, {}, 1})) << "ignored, not punished";
  EXPECT_EQ(events.size(), 4U);
}

TEST_F(OutstandingTest, LiesAreNoticed) {
  EXPECT_FALSE(say(ask(2), 2, Started{}));
  EXPECT_FALSE(say(ask(2), -1, Started{}));
  EXPECT_FALSE(say(ask(), 0, ToolCallDelta{1, "", "", ""})) << "call 1 before call 0";
  EXPECT_FALSE(say(ask(), 0, ToolCallDelta{-1, "", "", ""}));
  const GenerationId twice = ask(2);
  EXPECT_TRUE(say(twice, 0, Finished{}));
  EXPECT_FALSE(say(twice, 0, Finished{}));
  EXPECT_THAT(events, testing::SizeIs(1));
}

TEST_F(OutstandingTest, AnEndlessAnswerIsNotBelieved) {
  const GenerationId id = ask(1, 10);
  bool believed = true;
  for (int i = 0; i < 100 && believed; ++i) believed = say(id, 0, TextDelta{"", false, {}, 1}, 1 << 20);
  EXPECT_FALSE(believed);
}

TEST_F(OutstandingTest, StraysAreIgnoredButNotForEver) {
  EXPECT_TRUE(say(4711, 0, Started{}));
  bool patient = true;
  for (int i = 0; i < 1'000'000 && patient; ++i) patient = say(4711, 0, Started{});
  EXPECT_FALSE(patient);
}

TEST_F(OutstandingTest, AnswersMustFitTheirQuestions) {
  std::vector<std::string> got;
  const auto ask_text = [&] {
    return outstanding.ask(Inference::Done<std::string>(
        [&](Result<std::string> text) { got.push_back(text ? *text : text.error().reason); }));
  };
  EXPECT_TRUE(outstanding.receive(wire::Answer{ask_text(), std::string("yes")}));
  EXPECT_TRUE(outstanding.receive(wire::Answer{ask_text(), Error{Error::Code::invalid, "", "", "no", {}}}));
  EXPECT_FALSE(outstanding.receive(wire::Answer{ask_text(), std::int64_t{5}}));
  EXPECT_THAT(got, ElementsAre("yes", "no", "worker_misbehaved"));
  bool failed = false;
  const auto embeddings = outstanding.ask(
      Inference::Done<Embeddings>([&](const Result<Embeddings>& vectors) { failed = !vectors; }), 2);
  EXPECT_FALSE(outstanding.receive(wire::Answer{embeddings, Embeddings{{{1.0F}}, 1}}));
  EXPECT_TRUE(failed) << "one vector for two inputs";
}

TEST_F(OutstandingTest, AnEndEndsEverythingOnce) {
  const GenerationId id = ask();
  std::string reason;
  outstanding.ask(
      Inference::Done<std::int64_t>([&](const Result<std::int64_t>& n) { reason = n.error().reason; }));
  const Error why{Error::Code::unavailable, "gone", "", "worker_crashed", {}};
  outstanding.fail_all(why);
  outstanding.fail_all(why);
  outstanding.fail(id, why);
  EXPECT_EQ(reason, "worker_crashed");
  ASSERT_THAT(events, testing::SizeIs(1));
  EXPECT_EQ(std::get<Failed>(events[0].what).error.reason, "worker_crashed");
}

TEST_F(OutstandingTest, WhatACallbackThrowsHarmsNobodyElse) {
  const auto broken = [this] {
    return outstanding.ask(Inference::Done<std::string>(
        [](const Result<std::string>&) { throw std::runtime_error("the client is gone"); }));
  };
  EXPECT_TRUE(outstanding.receive(wire::Answer{broken(), std::string("yes")}));
  int failed = 0;
  for (int i = 0; i < 4; ++i) {
    broken();
    outstanding.ask(
        Inference::Done<std::int64_t>([&failed](const Result<std::int64_t>& n) { failed += n ? 0 : 1; }));
  }
  outstanding.fail_all({Error::Code::unavailable, "gone", "", "worker_crashed", {}});
  EXPECT_EQ(failed, 4);
  EXPECT_EQ(outstanding.size(), 0U);
}

TEST_F(OutstandingTest, QuestionsWaitUntilOneOfTheirKindIsAnswered) {
  EXPECT_FALSE(outstanding.waits().text);
  const auto ask_text = [&] {
    return outstanding.ask(Inference::Done<std::string>([](const Result<std::string>&) {}));
  };
  const auto first = ask_text();
  ask_text();
  const auto since = outstanding.waits().text;
  ASSERT_TRUE(since);
  EXPECT_FALSE(outstanding.waits().vectors);
  while (Outstanding::Clock::now() <= *since) continue;
  EXPECT_TRUE(outstanding.receive(wire::Answer{first, std::string("yes")}));
  ASSERT_TRUE(outstanding.waits().text) << "the second still waits";
  EXPECT_GT(*outstanding.waits().text, *since);
}

TEST_F(OutstandingTest, ABrokenSinkIsToldOfAndLeftAlone) {
  const GenerationId id = outstanding.add({}, 100, std::make_unique<Recorder>(events, true));
  EXPECT_TRUE(say(id, 0, Started{}));
  EXPECT_TRUE(say(id, 0, TextDelta{}));
  EXPECT_THAT(outstanding.take_unheard(), ElementsAre(id));
  EXPECT_THAT(outstanding.take_unheard(), IsEmpty());
  EXPECT_TRUE(say(id, 0, Finished{}));
  EXPECT_EQ(outstanding.size(), 0U);
}

}  // namespace
}  // namespace pensieve::manage
