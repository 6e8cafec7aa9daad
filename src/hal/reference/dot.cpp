// Lanes as a vector type of the compiler's (GCC and Clang): arrays would stay in memory below -O3.
#include "hal/reference/dot.h"

#include <algorithm>
#include <cstring>

namespace pensieve::hal::reference {
namespace {

constexpr std::size_t kBlock = 256, kLanes = 16;

using Four = float __attribute__((vector_size(16)));

inline Four load(const float* from) {
  Four values;
  std::memcpy(&values, from, sizeof values);
  return values;
}

// Sixteen lanes over `size` products, a multiple of sixteen; folded in halves.
inline float sum_products(const float* a, const float* b, std::size_t size) {
  Four lanes0 = {}, lanes1 = {}, lanes2 = {}, lanes3 = {};
  for (std::size_t i = 0; i < size; i += kLanes) {
    lanes0 += load(a + i) * load(b + i);
    lanes1 += load(a + i + 4) * load(b + i + 4);
    lanes2 += load(a + i + 8) * load(b + i + 8);
    lanes3 += load(a + i + 12) * load(b + i + 12);
  }
  const Four folded = (lanes0 + lanes2) + (lanes1 + lanes3);
  return (folded[0] + folded[2]) + (folded[1] + folded[3]);
}

}  // namespace

float dot(const float* a, const float* b, std::size_t size) {
  double total = 0.0;
  for (std::size_t at = 0; at < size; at += kBlock) {
    const std::size_t count = std::min(size - at, kBlock), whole = count / kLanes * kLanes;
    float sum = sum_products(a + at, b + at, whole);
    for (std::size_t i = at + whole; i < at + count; ++i) sum += a[i] * b[i];
    total += static_cast<double>(sum);
  }
  return static_cast<float>(total);
}

}  // namespace pensieve::hal::reference
