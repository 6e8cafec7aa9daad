// Fusion finds the five phases of a llama layer, and leaves alone what somebody else still reads.
#include "hal/fusion.h"

#include <gtest/gtest.h>

#include "hal/conformance/graphs.h"

namespace pensieve::hal {
namespace {

const auto kAlike = [](std::uint32_t, std::uint32_t) { return true; };

TEST(Fusion, ALlamaLayerTakesFivePhases) {
  conformance::LlamaShape shape;
  shape.layers = 3;
  const Graph graph = conformance::llama_graph(shape);
  const Program program = fuse(Segment::whole(graph), kAlike);
  // embed, five for each layer, select_rows, head with its norm
  EXPECT_EQ(program.phases.size(), 1U + 5U * 3U + 2U);
  EXPECT_EQ(program.ropes.size(), 1U);  // one table of angles for all
  const auto& qkv = std::get<LinearPhase>(program.phases[1]);
  EXPECT_EQ(qkv.parts.size(), 3U);
  EXPECT_GE(qkv.norm_node, 0);
  const auto& attention = std::get<AttentionPhase>(program.phases[2]);
  EXPECT_GE(attention.q_rope, 0);
  EXPECT_GE(attention.k_rope, 0);
  EXPECT_GE(std::get<LinearPhase>(program.phases[3]).parts[0].residual, 0);
  const auto& gate = std::get<LinearPhase>(program.phases[4]);
  ASSERT_EQ(gate.parts.size(), 1U);
  EXPECT_GE(gate.parts[0].paired, 0);
  EXPECT_EQ(gate.parts[0].activation, Activation::silu);
  EXPECT_GE(std::get<LinearPhase>(program.phases[5]).parts[0].residual, 0);
}

TEST(Fusion, DifferentlyStoredGateAndUpStaySeparate) {
  const Graph graph = conformance::llama_graph({.layers = 1});
  const Program program = fuse(Segment::whole(graph), [](std::uint32_t, std::uint32_t) { return false; });
  EXPECT_EQ(program.phases.size(), 1U + 6U + 2U);  // gate and up share a phase, the activation has its own
}

TEST(Fusion, AValueThatIsReadElsewhereIsKept) {
  conformance::GraphWriter writer(64);
  const auto x = writer.embed(64);
  const auto normed = writer.norm(x, {.group_width = 64}, "norm", 1);
  const auto y = writer.linear(normed, 64, "first");
  const auto graph =
      writer.finish(writer.add(writer.add(y, normed), y));  // normed and y have two readers each
  const Program program = fuse(Segment::whole(graph), kAlike);
  EXPECT_EQ(program.phases.size(), 6U);  // embed, norm, linear, add, add, select_rows: nothing fused
}

TEST(Fusion, AResidualMadeLaterIsNotFused) {
  conformance::GraphWriter writer(64);
  const auto x = writer.embed(64);
  const auto y = writer.linear(x, 64, "first");
  const auto later = writer.scale(x, 2.0F);
  const auto graph = writer.finish(writer.add(y, later));
  const Program program = fuse(Segment::whole(graph), kAlike);
  for (const Phase& phase : program.phases) {
    if (const auto* linear = std::get_if<LinearPhase>(&phase)) {
      EXPECT_EQ(linear->parts[0].residual, -1);
    }
  }
}

TEST(Fusion, WhatLeavesACutGraphIsKept) {
  const Graph graph = conformance::llama_graph({.layers = 2});
  const std::uint32_t cut = graph.layer_cuts[1];
  const std::uint32_t leaving = graph.nodes[cut].inputs[0];
  Segment segment{&graph, 0, cut, {}, {leaving}};
  const Program program = fuse(segment, kAlike);
  bool written = false;
  for (const Phase& phase : program.phases) {
    for (const std::uint32_t value : values_written(graph, phase)) written = written || value == leaving;
  }
  EXPECT_TRUE(written);
}

}  // namespace
}  // namespace pensieve::hal
