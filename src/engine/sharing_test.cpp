// State shared and given up: choices of one prompt, repeated and concurrent beginnings, long prompts beside
// answers, preemption.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "engine/world_for_test.h"

namespace pensieve::engine {
namespace {

using testing::Record;
using testing::solo_answer;
using testing::World;
using testing::WorldOptions;

TEST(Sharing, ChoicesShareThePromptAndDifferInTheirDraws) {
  for (const bool cached : {true, false}) {
    for (const std::size_t length : {1U, 9U, 12U, 13U, 30U}) {  // before, at and after page borders
      World world;
      auto request = world.request(std::string(length, 'p'));
      request.choices = 3;
      request.sampling.temperature = 1;
      request.sampling.seed = 5;
      request.cache_prompt = cached;
      request.ignore_eos = true;
      auto again = world.request("");
      again.prompt = request.prompt;
      again.sampling = request.sampling;
      again.ignore_eos = true;
      auto record = world.submit(std::move(request));
      ASSERT_TRUE(world.drain());
      std::set<std::string> texts;
      for (std::int32_t choice = 0; choice < 3; ++choice) {
        EXPECT_EQ(record->choices[choice].text, solo_answer(again, choice, 5, 64).text)
            << length << " " << choice;
        EXPECT_EQ(record->choices[choice].started, 1);
        EXPECT_EQ(record->choices[choice].end.usage.prompt_tokens, static_cast<std::int64_t>(length));
        texts.insert(record->choices[choice].text);
      }
      EXPECT_EQ(texts.size(), 3U);
      EXPECT_THAT(world.plan->problems, ::testing::IsEmpty());
      EXPECT_EQ(world.plan->rows, static_cast<std::int64_t>(length) + 2 + 3 * 7)
          << "the prompt is read once; each other choice reads its last token";
      EXPECT_EQ(world.plan->copied_pages, (length - 1) % 4 == 0 ? 0 : 2);
      EXPECT_EQ(world.counters.read().prompt_tokens, length);
    }
  }
}

TEST(Sharing, ReusesThePromptOfAnEarlierConversation) {
  World world;
  auto first = world.submit(world.request("the system prompt, and question one"));
  ASSERT_TRUE(world.drain());
  const std::int64_t rows = world.plan->rows;
  auto again = world.submit(world.request("the system prompt, and question two"));
  ASSERT_TRUE(world.drain());
  EXPECT_EQ(first->only().end.usage.cached_tokens, 0);
  EXPECT_EQ(again->only().start.cached_tokens, 32);
  EXPECT_EQ(again->only().end.usage.cached_tokens, 32);
  EXPECT_EQ(world.plan->rows - rows, 3 + 7);
  EXPECT_EQ(again->only().text,
            solo_answer(world.request("the system prompt, and question two"), 0, 0, 64).text);
  EXPECT_EQ(world.counters.read().cached_tokens, 32U);
}

TEST(Sharing, ConcurrentPromptsWithOneBeginningComputeItOnce) {
  WorldOptions options;
  options.pages = 200;
  options.context = 128;
  World world(options);
  const std::string shared(96, 's');
  std::vector<std::shared_ptr<Record>> records;
  for (const char tail : {'1', '2', '3', '4'})
    records.push_back(world.submit(world.request(shared + tail + "?")));
  ASSERT_TRUE(world.drain());
  EXPECT_LE(world.plan->rows, 96 + 4 * (2 + 7) + 16) << "at most one step's rest is computed twice";
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(
        records[i]->only().text,
        solo_answer(world.request(shared + static_cast<char>('1' + static_cast<int>(i)) + "?"), 0, 0, 128)
            .text);
  }
}

TEST(Sharing, CacheCanBeDeclined) {
  World world;
  for (int i = 0; i < 2; ++i) {
    auto request = world.request("the same long prompt as before");
    request.cache_prompt = false;
    auto record = world.submit(std::move(request));
    ASSERT_TRUE(world.drain());
    EXPECT_EQ(record->only().end.usage.cached_tokens, 0);
  }
  EXPECT_EQ(world.engine->store().used(), 0);
}

TEST(Sharing, OthersKeepWritingWhileALongPromptIsRead) {
  WorldOptions options;
  options.pages = 500;
  options.context = 1800;
  options.engine.step_rows = 512;
  World world(options);
  world.plan->on_wait = [&world](std::int32_t rows) {
    world.now += 2 * rows;
  };  // 2 ms a row: 256 rows in half a second
  world.submit(world.request(std::string(150, 'w')));
  ASSERT_TRUE(world.drain());
  auto request = world.request("story");
  request.max_tokens = 40;
  request.ignore_eos = true;
  world.submit(std::move(request));
  world.step();
  auto record = world.submit(world.request(std::string(1500, 'l')));
  for (int i = 0; i < 8; ++i) {
    const double began = world.now;
    world.step();
    EXPECT_EQ(world.engine->running()[0]->length(), 5 + 2 + i) << "one token in every step";
    EXPECT_LE(world.now - began, 110) << "and the gap stays small";
  }
  world.engine->cancel(world.last_id - 1);  // the story
  double longest = 0;
  while (!world.engine->idle()) {
    const double began = world.now;
    world.step();
    longest = std::max(longest, world.now - began);
  }
  EXPECT_EQ(record->only().finished, 1);
  EXPECT_GT(longest, 450) << "alone, a prompt gets longer steps";
  EXPECT_LE(longest, 510);
}

TEST(Sharing, PreemptionDoesNotChangeAnswers) {
  WorldOptions options;
  options.pages = 20;  // 80 tokens for four answers of 30
  options.context = 64;
  World world(options);
  std::vector<std::shared_ptr<Record>> records;
  std::vector<std::string> wanted;
  int preempted = 0;
  for (const char* prompt : {"first prompt", "another one", "third", "and the last one"}) {
    auto request = world.request(prompt);
    request.max_tokens = 30;
    request.ignore_eos = true;
    request.sampling.temperature = 0.8F;
    request.sampling.seed = 3;
    wanted.push_back(solo_answer(request, 0, 3, 64).text);
    records.push_back(world.submit(std::move(request)));
  }
  while (!world.engine->idle()) {
    const auto before = world.engine->running().size();
    world.step();
    if (world.engine->running().size() < before) ++preempted;
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i]->only().text, wanted[i]);
    EXPECT_EQ(records[i]->only().tokens, 30);
    EXPECT_EQ(records[i]->only().started, 1);
    EXPECT_EQ(records[i]->only().end.usage.cached_tokens, 0)
        << "reading again after a preemption is nobody's saving";
  }
  EXPECT_GT(preempted, 0);
  EXPECT_GT(world.plan->rows, 12 + 11 + 5 + 16 + 4 * 29) << "something was read twice";
  EXPECT_EQ(world.counters.read().prompt_tokens, 12U + 11 + 5 + 16) << "and counted once";
}

}  // namespace
}  // namespace pensieve::engine
