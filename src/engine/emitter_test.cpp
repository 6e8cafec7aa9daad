// What is shown of an answer: whole characters, never a part of a stop string, nothing lost; checked at
// random against the same rules applied to the whole text at once.
#include "engine/emitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "util/unicode.h"

namespace pensieve::engine {
namespace {

// Tokens are whatever texts a test says; unknown ones are control tokens.
class ListTokenizer final : public Tokenizer {
 public:
  std::vector<std::string> texts;
  void encode(std::string_view, EncodeOptions, std::vector<std::int32_t>&) const override {}
  std::string_view bytes(std::int32_t token, bool) const override {
    return token >= 0 && static_cast<std::size_t>(token) < texts.size()
               ? std::string_view(texts[static_cast<std::size_t>(token)])
               : std::string_view();
  }
  std::string decode(const std::vector<std::int32_t>&, bool) const override { return {}; }
  std::int32_t vocabulary() const override { return 100; }
  bool is_end(std::int32_t) const override { return false; }
  bool is_control(std::int32_t token) const override { return bytes(token, false).empty(); }
  std::int32_t begin_token() const override { return -1; }
  std::int32_t end_token() const override { return -1; }
};

struct Shown {
  std::vector<std::string> texts;  // after each token, and after the end
  std::string all, stop;
  std::int32_t tokens = 0;
  std::vector<std::int32_t> logprobs;
  bool stopped = false;
};

Shown show(const std::vector<std::string>& pieces, const std::vector<std::string>& stops,
           std::size_t min_tokens = 0) {
  ListTokenizer tokenizer;
  tokenizer.texts = pieces;
  Emitter emitter(tokenizer, stops);
  Shown shown;
  const auto take = [&] {
    const auto delta = emitter.take();
    shown.texts.push_back(delta ? delta->text : "");
    shown.all += shown.texts.back();
    if (!delta) return;
    shown.tokens += delta->tokens;
    for (const TokenLogprob& entry : delta->logprobs) shown.logprobs.push_back(entry.token);
  };
  for (std::size_t i = 0; i < pieces.size() && !shown.stopped; ++i) {
    TokenLogprob logprob;
    logprob.token = static_cast<std::int32_t>(i);
    shown.stopped = emitter.add(static_cast<std::int32_t>(i), logprob, i + 1 >= min_tokens);
    if (!shown.stopped) take();
  }
  emitter.finish();
  take();
  shown.stop = emitter.stop();
  return shown;
}

TEST(Emitter, ShowsTextAtOnceWhenNothingHoldsIt) {
  EXPECT_THAT(show({"Hel", "lo", " you"}, {}).texts, ::testing::ElementsAre("Hel", "lo", " you", ""));
}

TEST(Emitter, HoldsBackWhatMayBecomeAStopString) {
  const Shown shown = show({"one E", "N", "D two"}, {"END"});
  EXPECT_THAT(shown.texts, ::testing::ElementsAre("one ", "", ""));
  EXPECT_TRUE(shown.stopped);
  EXPECT_EQ(shown.stop, "END");
  EXPECT_EQ(shown.tokens, 1);
  EXPECT_THAT(shown.logprobs, ::testing::ElementsAre(0)) << "tokens that lie in the stop string have none";
}

TEST(Emitter, ReleasesWhatDidNotBecomeOne) {
  EXPECT_THAT(show({"E", "N", "Dless", " EN"}, {"ENDING"}).texts,
              ::testing::ElementsAre("", "", "ENDless", " ", "EN"));
}

TEST(Emitter, TheFirstCompleteOneEndsTheAnswer) {
  EXPECT_EQ(show({"abcdef"}, {"ef", "cd", "bcdefg"}).all, "ab");
  EXPECT_EQ(show({"abcdef"}, {"d", "bcd"}).all, "a")
      << "complete at the same byte: the longest, so that none appears";
  EXPECT_EQ(show({"aab"}, {"ab"}).all, "a") << "the match may begin within a failed one";
  EXPECT_EQ(show({"x"}, {""}).all, "x") << "an empty string never matches";
}

TEST(Emitter, StopStringsCountOnlyAfterTheLeastNumberOfTokens) {
  const Shown shown = show({"a.", "b.", "c.", "d."}, {"."}, 3);
  EXPECT_EQ(shown.all, "a.b.c");
  EXPECT_EQ(show({"E", "N", "D", "x"}, {"END"}, 3).all, "") << "it may begin before";
  EXPECT_EQ(show({"E", "N", "D", "x"}, {"END"}, 4).all, "ENDx");
}

TEST(Emitter, NeverSplitsACharacter) {
  EXPECT_THAT(show({"\xF0\x9F", "\x98", "\x80!"}, {}).texts,
              ::testing::ElementsAre("", "", "\xF0\x9F\x98\x80!", ""));
  EXPECT_THAT(show({"a\xC3", "b"}, {}).texts, ::testing::ElementsAre("a",
                                                                     "\xEF\xBF\xBD"
                                                                     "b",
                                                                     ""));
  EXPECT_EQ(show({"a\xE2\x82"}, {}).all.substr(0, 4), "a\xEF\xBF\xBD")
      << "an unfinished character at the end shows";
}

TEST(Emitter, ControlTokensHaveNoTextButALogprob) {
  ListTokenizer tokenizer;
  Emitter emitter(tokenizer, {});
  emitter.add(5, std::nullopt, true);
  EXPECT_FALSE(emitter.take()) << "nothing new to tell";
  emitter.add(5, TokenLogprob{.token = 5}, true);
  const auto delta = emitter.take();
  ASSERT_TRUE(delta);
  EXPECT_EQ(delta->text, "");
  EXPECT_EQ(delta->tokens, 2);
  EXPECT_EQ(delta->logprobs.size(), 1U);
}

// The rules on the whole text: the first end of a stop string that lies in a token that counts; there, the
// longest.
std::string naive(const std::vector<std::string>& pieces, const std::vector<std::string>& stops,
                  std::size_t min_tokens, std::string& stop) {
  std::string text;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    for (const char byte : pieces[i]) {
      text += byte;
      for (const std::string& candidate : stops) {
        if (i + 1 >= min_tokens && candidate.size() > stop.size() && text.ends_with(candidate))
          stop = candidate;
      }
      if (!stop.empty()) return text.substr(0, text.size() - stop.size());
    }
  }
  return text;
}

class RandomTexts {
 public:
  explicit RandomTexts(std::uint32_t seed) : random_(seed) {}
  std::size_t below(std::size_t bound) { return random_() % bound; }
  std::string text(const std::vector<std::string>& alphabet, std::size_t length) {
    std::string made;
    for (; length > 0; --length) made += alphabet[below(alphabet.size())];
    return made;
  }
  std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> pieces;
    for (std::size_t at = 0; at < text.size();) {
      pieces.push_back(text.substr(at, below(5)));
      at += pieces.back().size();
    }
    return pieces;
  }

 private:
  std::mt19937 random_;
};

TEST(Emitter, StopStringsInRandomTextsAndSplits) {
  RandomTexts random(1);
  int stopped = 0;
  for (int round = 0; round < 6000; ++round) {
    const std::vector<std::string> pieces =
        random.split(random.text({"a", "b", "\xC3\xA9", "c"}, 1 + random.below(30)));
    std::vector<std::string> stops;
    for (std::size_t count = random.below(4); count > 0; --count)
      stops.push_back(random.text({"a", "b", "\xC3\xA9"}, 1 + random.below(5)));
    const std::size_t min_tokens = random.below(3) == 0 ? random.below(10) : 0;
    std::string stop;
    const std::string wanted = naive(pieces, stops, min_tokens, stop);
    const Shown shown = show(pieces, stops, min_tokens);
    ASSERT_EQ(shown.all, util::repair_utf8(wanted));
    ASSERT_EQ(shown.stop, stop);
    ASSERT_EQ(shown.stopped, !stop.empty());
    for (const std::string& text : shown.texts) ASSERT_TRUE(util::valid_utf8(text));
    if (stop.empty()) {
      ASSERT_EQ(shown.logprobs.size(), pieces.size());
    }
    stopped += shown.stopped ? 1 : 0;
  }
  EXPECT_GT(stopped, 1000);
}

TEST(Emitter, BrokenAndWholeCharactersInRandomSplits) {
  RandomTexts random(2);
  const std::vector<std::string> alphabet{"a",    "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF0\x9F",
                                          "\xE2", "\x80",     "\xFF",         "\xED\xA0\x80",     "\xC0\xAF"};
  for (int round = 0; round < 6000; ++round) {
    const std::string text = random.text(alphabet, 1 + random.below(20));
    const Shown shown = show(random.split(text), {});
    ASSERT_EQ(shown.all, util::repair_utf8(text));
    for (const std::string& part : shown.texts) ASSERT_TRUE(util::valid_utf8(part));
  }
}

}  // namespace
}  // namespace pensieve::engine
