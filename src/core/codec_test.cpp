// Every codec of the folder: stored values, round trips of those that encode, look-up and rows with a tail.
#include "core/codec.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pensieve {
namespace {

std::vector<unsigned char> read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<float> random_values(std::size_t count, float spread) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0.0F, spread);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// The largest error of a round trip, as a part of the largest magnitude in a block (of 32 at least).
double tolerance_of(std::string_view name) {
  if (name == "f32") return 0.0;
  if (name == "f16") return 0x1p-11;
  if (name == "bf16") return 0x1p-8;
  if (name == "q8_0") return 0.51 / 127 + 0x1p-11;
  if (name == "q4_0") return 1.01 / 8;  // the side that reaches only 7 of 8 steps may be a whole step short
  if (name == "tq1_0" || name == "tq2_0") return 0.5 + 0x1p-11;  // -d, 0 and d only
  if (name == "q4_1") return 0.51 * 2 / 15 + 0x1p-9;
  if (name == "q2_k") return 0.6;
  return 0.4;  // a format that this test does not know yet must still resemble its input
}

std::string test_name(const testing::TestParamInfo<const Codec*>& info) {
  return std::string(info.param->name);
}

class EveryCodec : public testing::TestWithParam<const Codec*> {};

TEST_P(EveryCodec, DecodesStoredBlocks) {
  const Codec& codec = *GetParam();
  const std::string stem = PENSIEVE_TEST_DATA "/hal/quants/" + std::string(codec.name);
  const auto blocks = read_bytes(stem + ".bin"), values = read_bytes(stem + ".f32");
  if (blocks.empty())
    GTEST_SKIP() << "no stored values: add " << codec.name << ".bin and .f32 to tests/data/hal/quants";
  std::vector<float> wanted(values.size() / sizeof(float)), decoded(wanted.size());
  std::memcpy(wanted.data(), values.data(), values.size());
  ASSERT_EQ(blocks.size(), codec.row_bytes(wanted.size()));
  decode_row(codec, blocks.data(), wanted.size(), decoded.data());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_LE(std::abs(decoded[i] - wanted[i]), 1e-6F * std::abs(wanted[i]))
        << "value " << i << " of " << wanted[i];
  }
}

TEST_P(EveryCodec, DecodesAnyBytesWithoutLeavingTheBlock) {
  const Codec& codec = *GetParam();
  std::mt19937 random(11);
  const std::size_t elements = codec.block_elements > 1 ? codec.block_elements : 8;
  std::vector<float> values(elements);
  for (int round = 0; round < 200; ++round) {
    std::vector<unsigned char> block(codec.row_bytes(elements));  // exactly sized, for the sanitizers
    for (unsigned char& byte : block) byte = static_cast<unsigned char>(random());
    decode_row(codec, block.data(), elements, values.data());
  }
}

TEST_P(EveryCodec, ComesBackFromARoundTrip) {
  const Codec& codec = *GetParam();
  if (codec.encode == nullptr) return;
  for (const float spread : {1.0F, 0.05F, 30.0F}) {
    const std::vector<float> values = random_values(std::size_t{8} * 256, spread);
    std::vector<unsigned char> row(codec.row_bytes(values.size()));
    std::vector<float> back(values.size());
    encode_row(codec, values.data(), values.size(), row.data());
    decode_row(codec, row.data(), values.size(), back.data());
    const std::size_t block = std::max<std::size_t>(32, codec.block_elements);
    for (std::size_t i = 0; i < values.size(); ++i) {
      float largest = 0.0F;
      for (std::size_t j = i / block * block; j < i / block * block + block; ++j)
        largest = std::max(largest, std::abs(values[j]));
      ASSERT_LE(std::abs(back[i] - values[i]), tolerance_of(codec.name) * static_cast<double>(largest))
          << "value " << i;
    }
  }
}

// The mean squared error of normally distributed weights, as a part of their mean square: what the scale
// search of an encoder is for. A format that is not listed has no limit of its own.
double error_limit_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, double>, 13> kLimits{{{"q2_k", 0.075},
                                                                         {"q3_k", 0.0245},
                                                                         {"q4_0", 0.0078},
                                                                         {"q4_1", 0.0064},
                                                                         {"q4_k", 0.0053},
                                                                         {"q5_0", 0.0020},
                                                                         {"q5_1", 0.0015},
                                                                         {"q5_k", 0.00135},
                                                                         {"q6_k", 0.00034},
                                                                         {"q8_0", 0.000031},
                                                                         {"iq4_nl", 0.0062},
                                                                         {"iq4_xs", 0.0063},
                                                                         {"mxfp4", 0.0145}}};
  for (const auto& [known, limit] : kLimits) {
    if (known == name) return limit;
  }
  return 1.0;
}

TEST_P(EveryCodec, EncodesCloseToTheValues) {
  const Codec& codec = *GetParam();
  if (codec.encode == nullptr) return;
  const std::vector<float> values = random_values(std::size_t{400} * 256, 0.05F);
  std::vector<unsigned char> row(codec.row_bytes(values.size()));
  std::vector<float> back(values.size());
  encode_row(codec, values.data(), values.size(), row.data());
  decode_row(codec, row.data(), values.size(), back.data());
  double error = 0, square = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = static_cast<double>(values[i]), off = static_cast<double>(back[i]) - value;
    error += off * off;
    square += value * value;
  }
  EXPECT_LE(error / square, error_limit_of(codec.name));
}

TEST_P(EveryCodec, EncodesWhatIsNotANumberWithoutHarm) {
  const Codec& codec = *GetParam();
  if (codec.encode == nullptr) return;
  const std::size_t elements = codec.block_elements > 1 ? codec.block_elements : 8;
  for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), 3e38F, 1e-40F, 0.0F}) {
    std::vector<float> values(elements, odd);
    values[1] = -odd;
    std::vector<unsigned char> row(codec.row_bytes(elements));
    codec.encode(values.data(), row.data());
    decode_row(codec, row.data(), elements, values.data());
    if (odd == 0.0F) {
      EXPECT_EQ(values[0], 0.0F);
    }
  }
}

TEST_P(EveryCodec, IsFoundByNameAndTypeAndCarriesItsText) {
  const Codec& codec = *GetParam();
  EXPECT_EQ(find_codec(codec.name), &codec);
  EXPECT_EQ(find_codec(codec.ggml_type), &codec) << "another codec has the same type id";
  EXPECT_NE(codec.device_source.find(std::string(codec.name) + "_decode8"), std::string_view::npos);
}

INSTANTIATE_TEST_SUITE_P(, EveryCodec, testing::ValuesIn(codecs().begin(), codecs().end()), test_name);

TEST(Codec, UnknownOnesAreNotFound) {
  EXPECT_EQ(find_codec("q9_9"), nullptr);
  EXPECT_EQ(find_codec(""), nullptr);
  EXPECT_EQ(find_codec(4711U), nullptr);
}

TEST(Codec, RowsOfAnyLengthWhereBlocksHaveOneElement) {
  for (const char* name : {"f32", "f16", "bf16"}) {
    const Codec& codec = *find_codec(name);
    for (const std::size_t elements : {1U, 7U, 8U, 9U, 37U}) {
      std::vector<float> values(elements), back(elements, -1.0F);
      for (std::size_t i = 0; i < elements; ++i) values[i] = static_cast<float>(i) - 2.5F;
      std::vector<unsigned char> row(codec.row_bytes(elements));
      encode_row(codec, values.data(), elements, row.data());
      decode_row(codec, row.data(), elements, back.data());
      EXPECT_EQ(back, values) << name << ", " << elements;
    }
  }
}

// Values chosen by hand, so that a mistake shared by encoder and decoder shows.
TEST(Codec, LayoutOfQ80IsAsDocumented) {
  std::vector<unsigned char> block(34, 0);
  block[0] = 0x00;
  block[1] = 0x38;  // 0.5
  block[2] = 1;
  block[3] = 0xFF;
  block[33] = 0x80;
  std::vector<float> values(32);
  decode_row(*find_codec("q8_0"), block.data(), 32, values.data());
  EXPECT_EQ(values[0], 0.5F);
  EXPECT_EQ(values[1], -0.5F);
  EXPECT_EQ(values[31], -64.0F);
}

}  // namespace
}  // namespace pensieve
