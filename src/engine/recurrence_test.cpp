// Prefix reuse of models with recurrent state: which beginnings are found again, and that answers stay the
// same.
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

WorldOptions recurrent(std::int32_t slots) {
  WorldOptions options;
  options.slots = slots;
  return options;
}

// Answers as if it were alone, and says how many of the prompt's tokens were not computed.
std::int64_t cached_of(World& world, const Request& like) {
  Request request = world.request("");
  request.prompt = like.prompt;
  request.ignore_eos = true;
  const std::string wanted = solo_answer(request, 0, 0, world.settings.context).text;
  const auto record = world.submit(std::move(request));
  EXPECT_TRUE(world.drain());
  EXPECT_EQ(record->only().text, wanted);
  EXPECT_THAT(world.plan->problems, ::testing::IsEmpty());
  return record->only().end.usage.cached_tokens;
}

TEST(Recurrence, APromptReadBeforeGoesOnFromItsLastWholePage) {
  World world(recurrent(8));
  const Request request = world.request("a prompt of thirty tokens, yes");
  EXPECT_EQ(cached_of(world, request), 0);
  EXPECT_EQ(cached_of(world, request), 28);
  EXPECT_EQ(world.plan->copied_slots, 1 + 1) << "one state kept, one restored";
}

TEST(Recurrence, WhereTwoPromptsPartTheThirdGoesOn) {
  World world(recurrent(8));
  EXPECT_EQ(cached_of(world, world.request("the same beginning, question one")), 0);
  EXPECT_EQ(cached_of(world, world.request("the same beginning, and number two")), 0)
      << "pages are there, but no state at their end";
  EXPECT_EQ(cached_of(world, world.request("the same beginning, this is the third")), 20);
}

TEST(Recurrence, AnAnswerIsFoundAgainInTheNextTurn) {
  WorldOptions options = recurrent(8);
  options.context = 256;
  options.pages = 128;
  World world(options);
  Request first = world.request("tell a story");
  first.max_tokens = 150;
  for (std::int32_t letter = 'a'; letter < 'f'; ++letter)
    first.sampling.logit_bias.emplace_back(letter, 50.0F);
  first.ignore_eos = true;
  const std::string story = solo_answer(first, 0, 0, options.context).text;
  world.submit(std::move(first));
  ASSERT_TRUE(world.drain());
  EXPECT_EQ(cached_of(world, world.request("tell a story" + story + " and then?")), 128);
}

TEST(Recurrence, WithoutASlotToSpareNothingIsKept) {
  WorldOptions options = recurrent(1);
  options.engine.parallel = 1;
  World world(options);
  const Request request = world.request("a prompt of thirty tokens, yes");
  EXPECT_EQ(cached_of(world, request), 0);
  EXPECT_EQ(cached_of(world, request), 0);
}

TEST(Recurrence, CancelledSequencesGiveTheirSlotsBack) {
  World world(recurrent(6));
  Request request = world.request("a prompt of thirty tokens, yes");
  request.max_tokens = -1;
  request.ignore_eos = true;
  const GenerationId id = request.id;
  world.submit(std::move(request));
  for (int step = 0; step < 4; ++step) world.step();
  world.engine->cancel(id);
  ASSERT_TRUE(world.drain());
  const StateSlots& slots = world.engine->slots();
  EXPECT_EQ(slots.free_count() + slots.checkpoints(), 6);
}

TEST(Recurrence, ChoicesDrawApartFromOnePrompt) {
  for (const std::size_t length : {1U, 9U, 12U, 13U, 30U}) {  // before, at and after page borders
    World world(recurrent(8));
    Request request = world.request(std::string(length, 'p'));
    request.choices = 3;
    request.sampling.temperature = 1;
    request.sampling.seed = 5;
    request.ignore_eos = true;
    Request again = world.request("");
    again.prompt = request.prompt;
    again.sampling = request.sampling;
    again.ignore_eos = true;
    const auto record = world.submit(std::move(request));
    ASSERT_TRUE(world.drain());
    for (std::int32_t choice = 0; choice < 3; ++choice)
      EXPECT_EQ(record->choices[choice].text, solo_answer(again, choice, 5, 64).text) << length;
    EXPECT_THAT(world.plan->problems, ::testing::IsEmpty());
  }
}

}  // namespace
}  // namespace pensieve::engine
