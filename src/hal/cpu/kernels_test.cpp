// Each instruction set's kernels against plain C++ on small shapes, and against themselves: the same row
// gives the same bits whatever tile it is computed in.
#include "hal/cpu/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "hal/conformance/graphs.h"
#include "hal/conformance/runner.h"
#include "hal/cpu/dispatch.h"
#include "hal/cpu/pack.h"

namespace pensieve::hal::cpu {
namespace {

constexpr int kOutputs = 45, kInputs = 512;

std::vector<float> random_floats(std::size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(engine() % 20001) / 10000.0F - 1.0F;
  return values;
}

class CpuKernels : public testing::TestWithParam<std::string_view> {
 protected:
  Kernels kernels = select_kernels(GetParam()).value();

  template <class Line>
  std::vector<Line> panel(const std::vector<float>& x, int rows, int columns) {
    const int blocks = std::is_same_v<Line, QuantLine> ? columns / 32 : (columns + 15) / 16;
    std::vector<Line> lines(static_cast<std::size_t>(rows * blocks));
    for (int first = 0; first < rows;) {
      int tile = kernels.max_tile;
      while (tile > rows - first) tile /= 2;
      for (int i = 0; i < tile; ++i) {
        const float* row = x.data() + (first + i) * columns;
        Line* out = lines.data() + first * blocks + i;
        if constexpr (std::is_same_v<Line, QuantLine>) {
          kernels.quantize(row, columns, out, tile);
        } else {
          kernels.copy_lines(row, columns, out, tile);
        }
      }
      first += tile;
    }
    return lines;
  }
};

TEST_P(CpuKernels, QuantizedLinesHoldTheirSums) {
  const auto x = random_floats(64, 1);
  const auto lines = panel<QuantLine>(x, 1, 64);
  for (std::size_t b = 0; b < 2; ++b) {
    int low = 0, high = 0;
    for (std::size_t i = 0; i < 32; ++i) {
      EXPECT_NEAR(lines[b].scale * static_cast<float>(lines[b].q[i]), x[32 * b + i], 0.51F * lines[b].scale);
      (i < 16 ? low : high) += lines[b].q[i];
    }
    EXPECT_EQ(lines[b].minus8, -8 * (low + high));
    EXPECT_EQ(lines[b].minus128, -128 * (low + high));
    EXPECT_EQ(lines[b].minus32[0], -32 * low);
    EXPECT_EQ(lines[b].minus32[1], -32 * high);
    EXPECT_EQ(lines[b].scaled_sum, lines[b].scale * static_cast<float>(low + high));
  }
}

TEST_P(CpuKernels, LinearsMatchPlainSumsAndDoNotDependOnTheTile) {
  constexpr int kRows = 23;
  const auto x = random_floats(std::size_t{kRows} * kInputs, 2);
  const auto quantized = panel<QuantLine>(x, kRows, kInputs);
  const auto floats = panel<FloatLine>(x, kRows, kInputs);
  for (const Codec* codec : codecs()) {
    const auto kind = kind_for(*codec);
    if (!kind) continue;
    conformance::GraphWriter writer(kOutputs);
    const auto model = conformance::make_model(
        writer.finish(writer.linear(writer.embed(kInputs), kOutputs, "matrix")), *codec, 3);
    const auto& source = model.bytes[1];
    const PackedShape shape = packed_shape(*kind, kernels, kOutputs, kInputs);
    std::vector<std::uint8_t> packed(shape.bytes());
    pack_groups(shape, *codec, source.data(), 0, shape.groups, packed.data());
    const auto run = [&](const void* lines, int rows) {
      std::vector<float> out(static_cast<std::size_t>(rows * kOutputs), -7.0F);
      LinearCall call{};
      call.weight = packed.data();
      call.group_bytes = shape.group_bytes;
      call.outputs = kOutputs;
      call.blocks = shape.blocks;
      call.panel = lines;
      call.rows = rows;
      call.out = out.data();
      call.out_stride = kOutputs;
      call.group_end = shape.groups;
      kernels.linear[static_cast<int>(*kind)](call);
      return out;
    };
    const bool integer = wants_quantized(*kind);
    const auto all = run(integer ? static_cast<const void*>(quantized.data()) : floats.data(), kRows);
    std::vector<float> row_weights(kInputs);
    for (int row = 0; row < kRows; ++row) {
      const std::vector<float> one(x.begin() + row * kInputs, x.begin() + (row + 1) * kInputs);
      const auto quantized_one = panel<QuantLine>(one, 1, kInputs);
      const auto floats_one = panel<FloatLine>(one, 1, kInputs);
      const auto alone = run(integer ? static_cast<const void*>(quantized_one.data()) : floats_one.data(), 1);
      for (int o = 0; o < kOutputs; ++o) {
        const float got = all[static_cast<std::size_t>(row * kOutputs + o)];
        ASSERT_EQ(got, alone[static_cast<std::size_t>(o)])
            << codec->name << " row " << row << " output " << o;
        unpack_row(shape, packed.data(), o, row_weights.data());
        double sum = 0, magnitude = 0;
        for (std::size_t k = 0; k < kInputs; ++k) {
          const QuantLine& line = quantized_one[k / 32];
          const double input =
              integer ? static_cast<double>(line.scale) * line.q[k % 32] : static_cast<double>(one[k]);
          sum += static_cast<double>(row_weights[k]) * input;
          magnitude += std::abs(static_cast<double>(row_weights[k]) * input);
        }
        ASSERT_NEAR(got, sum, 4e-6 * magnitude) << codec->name << " row " << row << " output " << o;
      }
    }
  }
}

TEST_P(CpuKernels, EpiloguesApplyBiasGateAndResidualInOrder) {
  const auto x = random_floats(kInputs, 4), weights = random_floats(std::size_t{kOutputs} * kInputs, 5);
  const auto others = random_floats(std::size_t{kOutputs} * kInputs, 6);
  const auto bias = random_floats(kOutputs, 7), residual = random_floats(kOutputs, 8);
  const auto lines = panel<FloatLine>(x, 1, kInputs);
  const PackedShape shape = packed_shape(WeightKind::f32, kernels, kOutputs, kInputs);
  std::vector<std::uint8_t> first(shape.bytes()), second(shape.bytes());
  const Codec& f32 = *find_codec("f32");
  pack_groups(shape, f32, reinterpret_cast<const std::uint8_t*>(weights.data()), 0, shape.groups,
              first.data());
  pack_groups(shape, f32, reinterpret_cast<const std::uint8_t*>(others.data()), 0, shape.groups,
              second.data());
  std::vector<float> out(kOutputs);
  LinearCall call{};
  call.weight = first.data();
  call.paired = second.data();
  call.group_bytes = shape.group_bytes;
  call.outputs = kOutputs;
  call.blocks = shape.blocks;
  call.panel = lines.data();
  call.rows = 1;
  call.bias = bias.data();
  call.residual = residual.data();
  call.out = out.data();
  call.activation = Activation::silu;
  call.group_end = shape.groups;
  kernels.linear[static_cast<int>(WeightKind::f32)](call);
  for (std::size_t o = 0; o < kOutputs; ++o) {
    double gate = static_cast<double>(bias[o]), up = 0;
    for (std::size_t k = 0; k < kInputs; ++k) {
      gate += static_cast<double>(weights[o * kInputs + k]) * static_cast<double>(x[k]);
      up += static_cast<double>(others[o * kInputs + k]) * static_cast<double>(x[k]);
    }
    EXPECT_NEAR(out[o], gate / (1 + std::exp(-gate)) * up + static_cast<double>(residual[o]), 1e-3) << o;
  }
}

TEST_P(CpuKernels, ActivationsAreAccurateOverTheirWholeRange) {
  std::vector<float> x;
  for (float value = -100.0F; value <= 100.0F; value += 0.0371F) x.push_back(value);
  std::vector<float> y(x.size());
  const auto expect = [&](Activation kind, double (*f)(double)) {
    kernels.activate(kind, x.data(), nullptr, y.data(), static_cast<std::int64_t>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double wanted = f(static_cast<double>(x[i]));
      ASSERT_NEAR(y[i], wanted, 4e-7 * std::abs(wanted) + 3e-7) << "f(" << x[i] << ")";
    }
  };
  expect(Activation::silu, [](double v) { return v / (1 + std::exp(-v)); });
  expect(Activation::gelu, [](double v) { return v * 0.5 * std::erfc(-v / std::sqrt(2.0)); });
  expect(Activation::gelu_tanh,
         [](double v) { return 0.5 * v * (1 + std::tanh(0.7978845608 * (v + 0.044715 * v * v * v))); });
  expect(Activation::relu, [](double v) { return v > 0 ? v : 0.0; });
}

TEST_P(CpuKernels, NormsMatchTheirDefinition) {
  const auto x = random_floats(74, 9), weight = random_floats(37, 10), bias = random_floats(37, 11);
  for (const bool layer : {false, true}) {
    std::vector<float> y(74);
    kernels.norm({layer, 1e-5F, 74, 37, weight.data(), bias.data()}, x.data(), y.data());
    for (std::size_t group = 0; group < 2; ++group) {
      double mean = 0, squares = 0;
      for (std::size_t i = 0; i < 37; ++i) mean += static_cast<double>(x[group * 37 + i]) / 37;
      if (!layer) mean = 0;
      for (std::size_t i = 0; i < 37; ++i)
        squares += std::pow(static_cast<double>(x[group * 37 + i]) - mean, 2) / 37;
      for (std::size_t i = 0; i < 37; ++i) {
        const double centred = static_cast<double>(x[group * 37 + i]) - mean;
        EXPECT_NEAR(y[group * 37 + i],
                    centred / std::sqrt(squares + 1e-5) * static_cast<double>(weight[i]) +
                        static_cast<double>(bias[i]),
                    2e-6);
      }
    }
  }
}

TEST(CpuDispatch, UnknownInstructionSetNamesThoseThereAre) {
  const auto kernels = select_kernels("mmx");
  ASSERT_FALSE(kernels.has_value());
  EXPECT_NE(kernels.error().what.find("scalar"), std::string::npos);
  EXPECT_EQ(kernels.error().field, "isa");
}

INSTANTIATE_TEST_SUITE_P(Each, CpuKernels, testing::ValuesIn(instruction_sets()),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace pensieve::hal::cpu
