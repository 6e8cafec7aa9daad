// Thousands of broken files made from a sound one: each is refused with words or read cleanly, in bounded
// memory. Not for the wording of single faults: gguf_test.cpp.
#include <gtest/gtest.h>

#include <random>

#include "model/formats/allocation_count_for_test.h"
#include "model/formats/gguf.h"
#include "model/tiny_llama_for_test.h"

namespace pensieve::model {
namespace {

using testing::Field;
using testing::GgufImage;

struct Outcome {
  bool readable = false;
  std::vector<std::string> words;  // the error, or the report's problems
};

// Parses a copy that ends exactly at its last byte, so that a sanitizer sees every step beyond it.
Outcome outcome_of(std::span<const std::byte> bytes) {
  const std::vector<std::byte> exact(bytes.begin(), bytes.end());
  testing::reset_allocation_count();
  Result<GgufContent> content = parse_gguf(exact);
  EXPECT_LE(testing::allocation_count().largest, 4 * exact.size() + 4096);
  EXPECT_LE(testing::allocation_count().total, 32 * exact.size() + 65536);
  Outcome outcome;
  outcome.readable = content.has_value();
  outcome.words = content ? content->report.problems : std::vector<std::string>{content.error().what};
  if (content) {
    for (const TensorInfo& tensor : content->tensors) {
      if (tensor.bytes.empty()) continue;
      EXPECT_GE(tensor.bytes.data(), exact.data());
      EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(), exact.data() + exact.size());
    }
  }
  for (const std::string& words : outcome.words) EXPECT_FALSE(words.empty());
  return outcome;
}

TEST(BrokenGguf, EveryTruncationIsRefused) {
  const GgufImage image = testing::tiny_llama();
  const std::size_t padding = 32;  // the last tensor's padding may be missing
  int cases = 0;
  for (std::size_t size = 4; size + padding < image.bytes.size();
       size += size < image.data_at + 256 ? 1 : 61) {
    const Outcome outcome = outcome_of(image.span().first(size));
    EXPECT_FALSE(outcome.words.empty()) << "cut after " << size << " bytes";
    ++cases;
  }
  EXPECT_GT(cases, 5000);
}

TEST(BrokenGguf, EveryFieldMayHoldAnything) {
  const GgufImage sound = testing::tiny_llama();
  int cases = 0;
  for (const Field& field : sound.fields) {
    std::uint64_t value = 0;
    std::memcpy(&value, sound.bytes.data() + field.at, field.size);
    for (const std::uint64_t replacement :
         {std::uint64_t{0}, std::uint64_t{1}, value + 1, value - 1, value * 2, value ^ 0x80,
          std::uint64_t{0x7FFFFFFF}, std::uint64_t{0x80000000}, std::uint64_t{0xFFFFFFFF},
          std::uint64_t{0x100000000}, std::uint64_t{1} << 62, (std::uint64_t{1} << 63) - 1,
          std::uint64_t{1} << 63, ~std::uint64_t{0} - 31, ~std::uint64_t{0}}) {
      GgufImage broken = sound;
      std::memcpy(broken.bytes.data() + field.at, &replacement, field.size);
      outcome_of(broken.span());
      ++cases;
    }
  }
  EXPECT_GT(cases, 4000);
}

TEST(BrokenGguf, LengthsAndCountsBeyondTheFileAreRefused) {
  const GgufImage sound = testing::tiny_llama();
  int cases = 0;
  for (const Field& field : sound.fields) {
    if (field.size != 8) continue;
    GgufImage broken = sound;
    broken.put(field.at, ~std::uint64_t{0} - 15);
    EXPECT_FALSE(outcome_of(broken.span()).words.empty()) << field.what;
    ++cases;
  }
  EXPECT_GT(cases, 300);
}

TEST(BrokenGguf, FlippedBitsNeverCrash) {
  const GgufImage sound = testing::tiny_llama({.tied = false, .biases = true, .rope_factors = true});
  std::mt19937_64 random(20240607);
  for (int i = 0; i < 6000; ++i) {
    GgufImage broken = sound;
    const int flips = 1 + static_cast<int>(random() % 8);
    for (int flip = 0; flip < flips; ++flip) {
      const std::size_t bit = random() % (sound.data_at * 8);
      broken.bytes[bit / 8] = static_cast<char>(broken.bytes[bit / 8] ^ (1 << bit % 8));
    }
    outcome_of(broken.span());
  }
}

TEST(BrokenGguf, RandomTailsNeverCrash) {
  const GgufImage sound = testing::tiny_llama();
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    GgufImage broken = sound;
    for (std::size_t at = 24 + random() % (sound.data_at - 24); at < sound.data_at; ++at) {
      broken.bytes[at] = static_cast<char>(random());
    }
    outcome_of(broken.span());
  }
}

TEST(BrokenGguf, MemoryStaysInProportionForTheWorstFiles) {
  testing::GgufWriter texts;
  texts.texts("t", std::vector<std::string>(100'000));
  outcome_of(texts.finish().span());

  testing::GgufWriter too_many;  // in all arrays together
  too_many.numbers("a", testing::kU8, std::vector<std::uint8_t>(8'000'000));
  too_many.numbers("b", testing::kU8, std::vector<std::uint8_t>(1'000'000));
  const GgufImage image = too_many.finish();
  testing::reset_allocation_count();
  const Result<GgufContent> content = parse_gguf(image.span());
  ASSERT_FALSE(content);
  EXPECT_NE(content.error().what.find("a file may have 8388608 in all its arrays"), std::string::npos)
      << content.error().what;
  EXPECT_LE(testing::allocation_count().largest, 64U << 20);
}

}  // namespace
}  // namespace pensieve::model
