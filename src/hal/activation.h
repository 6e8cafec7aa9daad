// Activation: the nonlinear functions that a device's kernels know. Plain data, because units compiled for
// different instruction sets include it. Not the operation of a graph: core/ops.
#pragma once

#include <cstdint>

namespace pensieve::hal {

enum class Activation : std::uint8_t { none, silu, gelu, gelu_tanh, relu, relu_squared, sigmoid, tanh };

}  // namespace pensieve::hal
