// A budget for reasoning is kept exactly, and the answer goes on; how it is cut does not depend on who else
// asks.
#include <gtest/gtest.h>

#include "engine/thinking_watch.h"
#include "engine/world_for_test.h"

namespace pensieve::engine {
namespace {

using testing::World;

// Reasons from the beginning, or from each '(', until "=)".
class Brackets final : public ReplyParser {
 public:
  explicit Brackets(bool open = true) : thinking_(open) {}
  void feed(std::string_view text, std::vector<ReplyPiece>&) override {
    for (const char c : text) {
      if (c == '(') thinking_ = true;
      if (c == ')' && last_ == '=') thinking_ = false;
      last_ = c;
    }
  }
  void finish(std::vector<ReplyPiece>&) override {}
  bool thinking() const override { return thinking_; }

 private:
  bool thinking_;
  char last_ = 0;
};

ThinkingLimit limit(std::int64_t tokens, std::int32_t choices = 1) {
  ThinkingLimit made{tokens, {'=', ')'}, {}};
  for (std::int32_t i = 0; i < choices; ++i) made.readers.push_back(std::make_unique<Brackets>());
  return made;
}

Request asking(World& world, std::string_view prompt, std::int64_t budget, std::int32_t choices = 1) {
  Request request = world.request(prompt);
  request.max_tokens = 20;
  request.ignore_eos = true;
  request.choices = choices;
  request.sampling.temperature = 1;
  request.sampling.seed = 7;
  for (const char letter : std::string_view("abcde"))  // a token is a character
    request.sampling.logit_bias.emplace_back(letter, 90.0F);
  request.thinking = limit(budget, choices);
  return request;
}

TEST(Thinking, EndsWhereTheBudgetEndsAndTheAnswerGoesOn) {
  for (const std::int64_t budget : {0, 1, 5, 17}) {
    World world;
    auto record = world.submit(asking(world, "why", budget));
    ASSERT_TRUE(world.drain());
    const std::string& text = record->only().text;
    EXPECT_EQ(text.find("=)"), static_cast<std::size_t>(budget)) << text;
    EXPECT_EQ(record->only().end.usage.completion_tokens, 20);
    EXPECT_EQ(record->only().end.reason, FinishReason::length);
  }
}

TEST(Thinking, ALargeBudgetChangesNothing) {
  World world;
  Request free = world.request("why");
  free.thinking = limit(1000);
  auto limited = world.submit(std::move(free));
  auto plain = world.submit(world.request("why"));
  ASSERT_TRUE(world.drain());
  EXPECT_EQ(limited->only().text, plain->only().text);
}

TEST(Thinking, IsCutAlikeAloneAndAmongOthers) {
  std::vector<std::string> alone;
  {
    World world;
    auto record = world.submit(asking(world, "the question", 6, 3));
    ASSERT_TRUE(world.drain());
    for (auto& entry : record->choices) alone.push_back(entry.second.text);
  }
  testing::WorldOptions tight;
  tight.pages = 24;  // so that some wait and some are read again
  World world(tight);
  std::vector<std::shared_ptr<testing::Record>> others;
  for (const char* prompt : {"one", "two and more", "three"})
    others.push_back(world.submit(asking(world, prompt, 2)));
  auto record = world.submit(asking(world, "the question", 6, 3));
  ASSERT_TRUE(world.drain());
  ASSERT_EQ(record->choices.size(), 3U);
  for (std::size_t i = 0; i < alone.size(); ++i)
    EXPECT_EQ(record->choices[static_cast<std::int32_t>(i)].text, alone[i]);
}

TEST(Thinking, AWatchCompletesCharactersAndCountsBlocksTogether) {
  ThinkingWatch watch(std::make_unique<Brackets>(), 1, {'=', ')'});
  watch.add("\xC3");
  EXPECT_FALSE(watch.forced()) << "in the middle of a character";
  watch.add("\xA9");
  EXPECT_EQ(watch.forced(), '=');
  watch.add("=");
  EXPECT_EQ(watch.forced(), ')');
  watch.add(")");
  EXPECT_FALSE(watch.forced());
  watch.add("answer (");
  EXPECT_EQ(watch.forced(), '=') << "a second block has no budget of its own";
}

TEST(Thinking, AMarkerThatEndsNothingIsNotRepeated) {
  ThinkingWatch watch(std::make_unique<Brackets>(), 0, {'x'});
  EXPECT_EQ(watch.forced(), 'x');
  watch.add("x");
  EXPECT_FALSE(watch.forced());
}

}  // namespace
}  // namespace pensieve::engine
