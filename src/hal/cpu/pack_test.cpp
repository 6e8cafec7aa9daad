// Packing keeps every weight: a packed matrix gives back, row by row, exactly what its codec decodes.
#include "hal/cpu/pack.h"

#include <gtest/gtest.h>

#include <bit>
#include <vector>

#include "hal/conformance/graphs.h"
#include "hal/conformance/runner.h"
#include "hal/cpu/dispatch.h"

namespace pensieve::hal::cpu {
namespace {

// A matrix of 37 x 512 in `codec`, the bytes of a file.
std::vector<unsigned char> matrix_bytes(const Codec& codec) {
  conformance::GraphWriter writer(37);
  const auto graph = writer.finish(writer.linear(writer.embed(512), 37, "matrix"));
  const auto model = conformance::make_model(graph, codec, 11);
  for (std::size_t i = 0; i < graph.weights.size(); ++i) {
    if (graph.weights[i].name == "matrix") return model.bytes[i];
  }
  return {};
}

TEST(CpuPack, GivesBackWhatTheCodecDecodesOnEveryInstructionSet) {
  int packed_codecs = 0;
  for (const Codec* codec : codecs()) {
    const auto kind = kind_for(*codec);
    if (!kind) continue;
    ++packed_codecs;
    const auto source = matrix_bytes(*codec);
    ASSERT_FALSE(source.empty());
    for (const auto isa : instruction_sets()) {
      const Kernels kernels = select_kernels(isa).value();
      const PackedShape shape = packed_shape(*kind, kernels, 37, 512);
      std::vector<std::uint8_t> packed(shape.bytes());
      pack_groups(shape, *codec, source.data(), 0, shape.groups, packed.data());
      for (int row = 0; row < 37; ++row) {
        std::vector<float> wanted(512), got(512);
        decode_row(*codec, source.data() + static_cast<std::size_t>(row) * codec->row_bytes(512), 512,
                   wanted.data());
        unpack_row(shape, packed.data(), row, got.data());
        for (std::size_t k = 0; k < 512; ++k)
          ASSERT_EQ(got[k], wanted[k]) << codec->name << " on " << isa << ", row " << row << ", column " << k;
      }
    }
  }
  EXPECT_GE(packed_codecs, 11);
}

TEST(CpuPack, TakesHardlyMoreMemoryThanTheFile) {
  for (const char* name : {"q4_0", "q4_1", "q8_0", "q4_k", "q6_k", "f16"}) {
    const Codec& codec = *find_codec(name);
    const PackedShape shape = packed_shape(*kind_for(codec), select_kernels("").value(), 1024, 1024);
    const double file = 1024.0 * static_cast<double>(codec.row_bytes(1024));
    EXPECT_LT(static_cast<double>(shape.bytes()), 1.03 * file) << name;
  }
}

}  // namespace
}  // namespace pensieve::hal::cpu
