// What users of the engine notice, step by step: answers, limits, cancellation, failures, log-probabilities.
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/world_for_test.h"

namespace pensieve::engine {
namespace {

using testing::ByteTokenizer;
using testing::Record;
using testing::solo_answer;
using testing::World;
using testing::WorldOptions;

TEST(Engine, AnswersAsIfAloneAndCountsEverything) {
  World world;
  auto request = world.request("hello world");
  const auto wanted = solo_answer(request, 0, 0, 64);
  auto record = world.submit(std::move(request));
  ASSERT_TRUE(world.drain());
  EXPECT_EQ(record->only().text, wanted.text);
  EXPECT_EQ(record->only().end.reason, FinishReason::length);
  EXPECT_EQ(record->only().end.usage.prompt_tokens, 11);
  EXPECT_EQ(record->only().end.usage.completion_tokens, 8);
  EXPECT_EQ(record->only().start.prompt_tokens, 11);
  EXPECT_TRUE(record->sink_destroyed);
  EXPECT_THAT(record->problems, ::testing::IsEmpty());
  const auto stats = world.counters.read();
  EXPECT_EQ(stats.prompt_tokens, 11U);
  EXPECT_EQ(stats.generated_tokens, 8U);
  EXPECT_EQ(stats.finished, 1U);
  EXPECT_EQ(stats.running, 0);
}

TEST(Engine, TimingsComeFromTheInjectedClock) {
  WorldOptions options;
  options.engine.parallel = 1;
  World world(options);
  auto first = world.submit(world.request("one"));
  auto second = world.submit(world.request("two"));
  ASSERT_TRUE(world.drain());
  EXPECT_EQ(first->only().end.timings.queue, 1);  // the clock moves by one before each step
  EXPECT_EQ(first->only().end.timings.prompt, 0);
  EXPECT_EQ(first->only().end.timings.predict, 7);
  EXPECT_EQ(second->only().end.timings.queue, 9);
}

TEST(Engine, EventsOfAStepAreDeliveredWhileTheNextOneRuns) {
  World world;
  auto record = world.submit(world.request("abc"));
  world.step();
  EXPECT_EQ(record->events, 1) << "Started goes out while the first step runs";
  world.step();
  EXPECT_EQ(record->events, 2) << "the first token goes out while the second step runs";
}

TEST(Engine, RefusesAPromptThatCanNeverFit) {
  World world;
  auto record = world.submit(world.request(std::string(64, 'x')));
  auto fits = world.submit(world.request(std::string(63, 'x')));
  ASSERT_TRUE(world.drain());
  ASSERT_EQ(record->failures.size(), 1U);
  const Error& error = record->failures[0];
  EXPECT_EQ(error.code, Error::Code::invalid);
  EXPECT_EQ(error.reason, "context_length_exceeded");
  EXPECT_THAT(error.numbers, ::testing::ElementsAre(std::pair("n_prompt_tokens", 64), std::pair("n_ctx", 64),
                                                    std::pair("over_by", 1)));
  EXPECT_EQ(fits->only().end.usage.completion_tokens, 1);
  EXPECT_EQ(fits->only().end.reason, FinishReason::length);
}

TEST(Engine, GoesOnToTheEndOfTheContext) {
  World world;
  auto request = world.request("0123456789");
  request.max_tokens = -1;
  request.ignore_eos = true;
  auto record = world.submit(std::move(request));
  ASSERT_TRUE(world.drain());
  EXPECT_EQ(record->only().end.usage.completion_tokens, 54);
  EXPECT_EQ(record->only().end.reason, FinishReason::length);
}

TEST(Engine, RefusesBadRequestsByName) {
  World world;
  auto empty = world.submit(world.request(""));
  auto request = world.request("a");
  request.prompt.push_back(258);
  auto foreign = world.submit(std::move(request));
  request = world.request("a");
  request.choices = 0;
  auto none = world.submit(std::move(request));
  request = world.request("a");
  request.choices = 2'000'000'000;
  auto many = world.submit(std::move(request));
  ASSERT_TRUE(world.drain());
  EXPECT_EQ(empty->failures.at(0).field, "prompt");
  EXPECT_THAT(foreign->failures.at(0).what, ::testing::HasSubstr("258"));
  EXPECT_EQ(none->failures.at(0).code, Error::Code::invalid);
  EXPECT_EQ(many->failures.at(0).field, "n");
  EXPECT_EQ(world.counters.read().failed, 4U);
}

TEST(Engine, BoundsTheQueue) {
  WorldOptions options;
  options.engine.parallel = 2;
  options.engine.queue = 3;
  World world(options);
  std::vector<std::shared_ptr<Record>> records;
  for (int i = 0; i < 7; ++i) records.push_back(world.submit(world.request("question")));
  ASSERT_TRUE(world.drain());
  for (int i = 0; i < 5; ++i) EXPECT_EQ(records[static_cast<std::size_t>(i)]->only().finished, 1) << i;
  for (int i = 5; i < 7; ++i) {
    ASSERT_EQ(records[static_cast<std::size_t>(i)]->failures.size(), 1U) << i;
    EXPECT_EQ(records[static_cast<std::size_t>(i)]->failures[0].code, Error::Code::exhausted);
    EXPECT_EQ(records[static_cast<std::size_t>(i)]->failures[0].reason, "queue_full");
  }
}

TEST(Engine, CancelsInEveryPhaseWithinOneStep) {
  WorldOptions options;
  options.engine.parallel = 2;
  World world(options);
  auto writes = world.request("a");
  writes.max_tokens = -1;
  writes.ignore_eos = true;
  const GenerationId writing = writes.id;
  auto first = world.submit(std::move(writes));
  world.step();
  world.step();
  auto reads = world.request(std::string(60, 'b'));
  const GenerationId reading = reads.id;
  auto second = world.submit(std::move(reads));
  auto waits = world.request("c");
  const GenerationId waiting = waits.id;
  auto third = world.submit(std::move(waits));
  world.step();
  ASSERT_EQ(world.engine->running().size(), 2U);
  for (const GenerationId id : {writing, reading, waiting, GenerationId{999}}) world.engine->cancel(id);
  world.step();
  for (const auto& record : {first, second, third}) {
    EXPECT_EQ(record->only().finished, 1);
    EXPECT_EQ(record->only().end.reason, FinishReason::cancelled);
    EXPECT_TRUE(record->sink_destroyed);
  }
  EXPECT_GT(first->only().end.usage.completion_tokens, 0);
  EXPECT_TRUE(world.engine->idle());
  EXPECT_EQ(world.engine->store().used(), world.engine->store().cache().size());
  EXPECT_EQ(world.counters.read().cancelled, 3U);
}

TEST(Engine, AThrowingSinkEndsOnlyItsOwnRequest) {
  World world;
  auto bad = world.submit(world.request("first"), 2);
  auto good = world.submit(world.request("second"));
  ASSERT_TRUE(world.drain());
  EXPECT_EQ(bad->events, 2);
  EXPECT_EQ(good->only().finished, 1);
  EXPECT_EQ(good->only().end.reason, FinishReason::length);
}

TEST(Engine, ADeviceFailureEndsTheStepsRequestsAndNothingElse) {
  for (const char* how : {"submit", "wait", "exception"}) {
    WorldOptions options;
    options.engine.parallel = 1;
    World world(options);
    const bool throws = how[0] == 'e';
    (throws          ? world.plan->throwing_submits
     : how[0] == 's' ? world.plan->failing_submits
                     : world.plan->failing_waits)
        .insert(2);
    auto request = world.request("fails");
    request.choices = 2;
    auto failed = world.submit(std::move(request));
    auto next = world.submit(world.request("works"));
    ASSERT_TRUE(world.drain());
    ASSERT_EQ(failed->failures.size(), 1U);
    EXPECT_EQ(failed->failures[0].code, Error::Code::internal);
    EXPECT_THAT(failed->failures[0].what, ::testing::HasSubstr(throws ? "out of memory" : "told to fail"));
    EXPECT_EQ(next->only().text, solo_answer(world.request("works"), 0, 0, 64).text);
    EXPECT_THAT(world.plan->problems, ::testing::IsEmpty());
    EXPECT_EQ(world.engine->store().used(), world.engine->store().cache().size());
  }
}

TEST(Engine, AfterAnExceptionEverybodyIsToldAndTheNextAnswerIsRight) {
  World world;
  auto first = world.submit(world.request("a prompt of some pages"));
  auto second = world.submit(world.request("another one"));
  world.step();
  world.tokenizer.short_of_memory = true;
  EXPECT_THROW(while (!world.engine->idle()) world.step(), std::bad_alloc);
  world.tokenizer.short_of_memory = false;
  world.engine->fail_all(error_of(std::bad_alloc()));
  EXPECT_TRUE(world.engine->idle());
  for (const auto& record : {first, second}) {
    ASSERT_EQ(record->failures.size(), 1U);
    EXPECT_EQ(record->failures[0].code, Error::Code::exhausted);
    EXPECT_TRUE(record->sink_destroyed);
  }
  EXPECT_EQ(world.engine->store().used(), 0);
  EXPECT_EQ(world.counters.read().failed, 2U);
  EXPECT_EQ(world.counters.read().running, 0);
  auto next = world.submit(world.request("a prompt of some pages"));
  ASSERT_TRUE(world.drain());
  EXPECT_EQ(next->only().text, solo_answer(world.request("a prompt of some pages"), 0, 0, 64).text);
  EXPECT_THAT(world.plan->problems, ::testing::IsEmpty());
}

TEST(Engine, AFailureInTheSamplerEndsOnlyItsRequest) {
  World world;
  auto request = world.request("nothing may follow");
  for (std::int32_t token = 0; token < ByteTokenizer::kVocabulary; ++token)
    request.sampling.logit_bias.emplace_back(token, -INFINITY);
  auto failed = world.submit(std::move(request));
  auto good = world.submit(world.request("second"));
  ASSERT_TRUE(world.drain());
  EXPECT_THAT(failed->failures.at(0).what, ::testing::HasSubstr("no token can follow"));
  EXPECT_EQ(good->only().finished, 1);
}

TEST(Engine, MinTokensAndIgnoreEosKeepTheAnswerOpen) {
  World world;
  auto open = world.request("q");
  open.ignore_eos = true;
  open.max_tokens = 50;
  open.sampling.temperature = 1;
  open.sampling.seed = 1;
  open.sampling.logit_bias = {{ByteTokenizer::kEnd, 50.0F}};
  auto least = world.request("q");
  least.min_tokens = 5;
  least.sampling.logit_bias = {{ByteTokenizer::kEnd, 50.0F}};
  auto first = world.submit(std::move(open));
  auto second = world.submit(std::move(least));
  ASSERT_TRUE(world.drain());
  EXPECT_EQ(first->only().end.usage.completion_tokens, 50);
  EXPECT_EQ(second->only().end.usage.completion_tokens, 6) << "five, and the end";
  EXPECT_EQ(second->only().end.reason, FinishReason::stop);
  EXPECT_EQ(second->only().tokens, 5);
}

TEST(Engine, LogprobsComeOneForEachToken) {
  World world;
  auto request = world.request("prompt");
  request.top_logprobs = 3;
  request.sampling.temperature = 2;
  request.sampling.seed = 9;
  request.ignore_eos = true;
  auto record = world.submit(std::move(request));
  ASSERT_TRUE(world.drain());
  ASSERT_EQ(record->only().logprobs.size(), 8U);
  EXPECT_EQ(record->only().tokens, 8);
  for (const TokenLogprob& entry : record->only().logprobs) {
    EXPECT_EQ(entry.top.size(), 3U);
    EXPECT_LT(entry.logprob, 0);
    EXPECT_GE(entry.top[0].logprob, entry.logprob);
  }
}

TEST(Engine, PromptLogprobsCoverThePromptWhateverIsCached) {
  std::vector<std::vector<TokenLogprob>> readings;
  for (const std::int64_t step_rows : {3, 7, 100}) {
    WorldOptions options;
    options.pages = 100;
    options.context = 200;
    options.engine.step_rows = step_rows;
    World world(options);
    const std::string prompt =
        "a prompt of some length, longer than a page or two, and longer than a step with log-probabilities";
    world.submit(world.request(prompt));  // now it is in the cache
    ASSERT_TRUE(world.drain());
    auto request = world.request(prompt);
    request.prompt_logprobs = true;
    request.top_logprobs = 1;
    request.max_tokens = 0;
    request.choices = 2;
    auto record = world.submit(std::move(request));
    ASSERT_TRUE(world.drain());
    for (std::int32_t choice = 0; choice < 2; ++choice) {
      const auto& reply = record->choices[choice];
      ASSERT_EQ(reply.prompt_logprobs.size(), prompt.size());
      EXPECT_TRUE(std::isnan(reply.prompt_logprobs[0].logprob));
      EXPECT_EQ(reply.prompt_logprobs[5].bytes, "m");
      EXPECT_EQ(reply.end.reason, FinishReason::length);
      EXPECT_EQ(reply.end.usage.completion_tokens, 0);
      EXPECT_EQ(reply.end.usage.cached_tokens, 0);
      readings.push_back(reply.prompt_logprobs);
    }
    EXPECT_THAT(record->problems, ::testing::IsEmpty());
  }
  for (const auto& reading : readings) {
    for (std::size_t i = 1; i < reading.size(); ++i) {
      ASSERT_EQ(reading[i].logprob, readings[0][i].logprob) << i;
      ASSERT_EQ(reading[i].top[0].token, readings[0][i].top[0].token) << i;
    }
  }
}

TEST(Engine, SeedsAreDrawnWhereNoneIsGiven) {
  World world;
  std::set<std::string> texts;
  for (int i = 0; i < 6; ++i) {
    auto request = world.request("free");
    request.sampling.temperature = 2;
    request.ignore_eos = true;
    auto record = world.submit(std::move(request));
    ASSERT_TRUE(world.drain());
    texts.insert(record->only().text);
  }
  EXPECT_GT(texts.size(), 4U);
}

}  // namespace
}  // namespace pensieve::engine
