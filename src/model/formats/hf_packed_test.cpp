// AWQ and GPTQ: weights packed here by the formats' own rules come out as they went in; what cannot be is
// told.
#include "model/formats/hf_packed.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <random>

#include "core/half.h"

namespace pensieve::model {
namespace {

using ::testing::HasSubstr;

// A matrix quantized here: number, zero point and scale of each weight, and the tensors that hold them.
struct Example {
  Packing packing;
  std::int64_t inputs, outputs, group_size;
  std::vector<std::uint32_t> words, zeros;
  std::vector<std::uint16_t> scales;
  std::vector<std::int32_t> groups;
  std::vector<float> expected;  // [outputs, inputs]
  SafeTensor word_tensor, zero_tensor, scale_tensor, group_tensor;

  // `zero`: of all groups; below 0: random ones. `shuffled`: inputs belong to groups at random (desc_act).
  Example(Packing how, std::int64_t in, std::int64_t out, std::int64_t group, int zero, bool shuffled = false)
      : packing(how), inputs(in), outputs(out), group_size(group) {
    std::mt19937 draw(7);
    const bool awq = packing == Packing::awq;
    const std::int64_t group_count = inputs / group_size;
    // AutoAWQ's order_map: nibble i of a word holds output order_map[i].
    const int order_map[8] = {0, 2, 4, 6, 1, 3, 5, 7};
    std::vector<int> zero_points(static_cast<std::size_t>(group_count * outputs));
    scales.resize(zero_points.size());
    zeros.resize(zero_points.size() / 8);
    words.resize(static_cast<std::size_t>(inputs * outputs / 8));
    expected.resize(static_cast<std::size_t>(inputs * outputs));
    for (std::int64_t g = 0; g < group_count; ++g) {
      for (std::int64_t o = 0; o < outputs; ++o) {
        const auto at = static_cast<std::size_t>(g * outputs + o);
        const int lowest = packing == Packing::gptq ? 1 : 0;
        zero_points[at] = zero >= 0 ? zero : lowest + static_cast<int>(draw() % 16);
        scales[at] = float_to_half(0.01F + 0.001F * static_cast<float>(draw() % 50));
        const auto stored = static_cast<std::uint32_t>(zero_points[at] - lowest);
        int nibble = static_cast<int>(o % 8);
        for (int i = 0; awq && i < 8; ++i) nibble = order_map[i] == o % 8 ? i : nibble;
        zeros[static_cast<std::size_t>((g * outputs + o) / 8)] |= stored << (4 * nibble);
      }
    }
    for (std::int64_t i = 0; i < inputs; ++i) {
      const auto group_of = static_cast<std::int32_t>(shuffled ? draw() % static_cast<unsigned>(group_count)
                                                               : static_cast<unsigned>(i / group_size));
      groups.push_back(group_of);
      for (std::int64_t o = 0; o < outputs; ++o) {
        const std::uint32_t number = draw() % 16;
        const auto at = static_cast<std::size_t>(group_of * outputs + o);
        expected[static_cast<std::size_t>(o * inputs + i)] =
            half_to_float(scales[at]) * static_cast<float>(static_cast<int>(number) - zero_points[at]);
        if (awq) {
          int nibble = 0;
          for (int k = 0; k < 8; ++k) nibble = order_map[k] == o % 8 ? k : nibble;
          words[static_cast<std::size_t>(i * (outputs / 8) + o / 8)] |= number << (4 * nibble);
        } else {
          words[static_cast<std::size_t>(i / 8 * outputs + o)] |= number << (4 * (i % 8));
        }
      }
    }
    word_tensor = {"qweight", "I32", awq ? shape(inputs, outputs / 8) : shape(inputs / 8, outputs),
                   std::as_bytes(std::span(words))};
    zero_tensor = {"qzeros", "I32", shape(group_count, outputs / 8), std::as_bytes(std::span(zeros))};
    scale_tensor = {"scales", "F16", shape(group_count, outputs), std::as_bytes(std::span(scales))};
    group_tensor = {"g_idx", "I32", {inputs}, std::as_bytes(std::span(groups))};
  }
  Example(const Example&) = delete;
  static std::vector<std::int64_t> shape(std::int64_t rows, std::int64_t columns) { return {rows, columns}; }

  PackedWeights tensors(bool with_groups) const {
    return {&word_tensor, &zero_tensor, &scale_tensor, with_groups ? &group_tensor : nullptr};
  }
  // The codec, and the largest difference in units of the largest weight.
  std::pair<std::string, double> result(bool with_groups, bool uniform = false) const {
    const PackedWeights packed = tensors(with_groups);
    const auto form = form_of(packed, packing, uniform);
    EXPECT_TRUE(form) << (form ? "" : form.error().what);
    if (!form) return {"refused", 1.0};
    EXPECT_EQ(form->inputs, inputs);
    EXPECT_EQ(form->outputs, outputs);
    std::vector<std::byte> bytes(form->bytes());
    unpack(packed, packing, *form, bytes);
    std::vector<float> values(expected.size());
    decode_row(*form->codec, reinterpret_cast<const unsigned char*>(bytes.data()), values.size(),
               values.data());
    double worst = 0.0, largest = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      worst = std::max(worst, std::fabs(static_cast<double>(values[i]) - static_cast<double>(expected[i])));
      largest = std::max(largest, std::fabs(static_cast<double>(expected[i])));
    }
    return {std::string(form->codec->name), worst / largest};
  }
};

TEST(HfPacked, SymmetricGptqIsExact) {
  for (const Packing packing : {Packing::gptq, Packing::gptq_v2}) {
    const Example example(packing, 256, 24, 64, 8);
    EXPECT_EQ(example.result(true), (std::pair<std::string, double>{"q4_0", 0.0}));
    EXPECT_EQ(example.result(false).second, 0.0);
    EXPECT_EQ(example.result(true, true).first, "q4_1") << "stacked matrices have one form";
    EXPECT_EQ(example.result(true, true).second, 0.0);
  }
}

TEST(HfPacked, ZeroPointsOfTheirOwnAreAsGoodAsHalfPrecision) {
  for (const Packing packing : {Packing::awq, Packing::gptq, Packing::gptq_v2}) {
    const Example example(packing, 128, 16, 32, -1);
    const auto [codec, error] = example.result(packing != Packing::awq);
    EXPECT_EQ(codec, "q4_1");
    EXPECT_LT(error, 0x1p-11);
  }
  EXPECT_EQ(Example(Packing::awq, 128, 16, 128, 8).result(false).second, 0.0);
}

TEST(HfPacked, InputsInAnyOrderBecomeHalfPrecision) {
  const auto [codec, error] = Example(Packing::gptq, 128, 16, 32, -1, true).result(true);
  EXPECT_EQ(codec, "f16");
  EXPECT_LT(error, 0x1p-11);
  EXPECT_EQ(Example(Packing::awq, 64, 8, 16, -1).result(false).first, "f16") << "groups shorter than a block";
}

TEST(HfPacked, WhatDoesNotBelongTogetherIsTold) {
  Example example(Packing::gptq, 64, 16, 32, 8);
  const auto why = [&] {
    const auto form = form_of(example.tensors(true), example.packing, false);
    return form ? std::string("taken") : form.error().what;
  };
  example.groups[5] = 2;
  EXPECT_THAT(why(), HasSubstr("group 2 of 2"));
  example.groups[5] = -1;
  EXPECT_THAT(why(), HasSubstr("of 2"));
  example.groups[5] = 0;
  example.zero_tensor.shape = {2, 3};
  EXPECT_THAT(why(), HasSubstr("do not belong together"));
  example.zero_tensor.shape = {2, 2};
  example.scale_tensor.type = "I8";
  EXPECT_THAT(why(), HasSubstr("I8"));
  example.word_tensor.shape = {0, 16};
  EXPECT_THAT(why(), HasSubstr("[0, 16]"));
  EXPECT_FALSE(form_of({&example.word_tensor, nullptr, &example.scale_tensor, nullptr}, Packing::awq, false));
}

TEST(HfPacked, TheSettingsSayHow) {
  const auto packing = [](const char* text) { return packing_of(util::Json::parse(text)); };
  EXPECT_EQ(packing(R"({"quant_method":"awq","bits":4,"version":"GEMM"})").value(), Packing::awq);
  EXPECT_EQ(packing(R"({"quant_method":"gptq","bits":4})").value(), Packing::gptq);
  EXPECT_EQ(packing(R"({"quant_method":"gptq","bits":4,"checkpoint_format":"gptq_v2"})").value(),
            Packing::gptq_v2);
  EXPECT_EQ(packing(R"({"quant_method":"fp8"})").value(), std::nullopt);
  EXPECT_THAT(packing(R"({"quant_method":"gptq","bits":3})").error().what, HasSubstr("3 bits"));
  EXPECT_THAT(packing(R"({"quant_method":"awq","bits":4,"version":"gemv"})").error().what, HasSubstr("gemv"));
  EXPECT_THAT(packing(R"({"quant_method":"bitsandbytes"})").error().what, HasSubstr("bitsandbytes"));
}

}  // namespace
}  // namespace pensieve::model
