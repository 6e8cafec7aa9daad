// slice and join: columns of heads taken out and put together.
#include <algorithm>

#include "hal/reference/ops.h"

namespace pensieve::hal::reference {

void slice(const SliceParams& params, InputRows in, float* out) {
  const auto group = static_cast<std::size_t>(params.group_width);
  for (std::size_t at = 0; at < in.rows * in.width; at += group) {
    out = std::copy_n(in.data + at + params.first, params.width, out);
  }
}

void join(const JoinParams& params, InputRows a, InputRows b, float* out) {
  const auto groups = static_cast<std::size_t>(params.groups);
  const auto part = [&](InputRows in, std::size_t row, std::size_t group, std::int64_t width) {
    const std::size_t at =
        in.width == static_cast<std::size_t>(width) ? 0 : group * static_cast<std::size_t>(width);
    return in.row(row) + at;
  };
  for (std::size_t r = 0; r < a.rows; ++r) {
    for (std::size_t g = 0; g < groups; ++g) {
      out = std::copy_n(part(a, r, g, params.a_width), params.a_width, out);
      out = std::copy_n(part(b, r, g, params.b_width), params.b_width, out);
    }
  }
}

}  // namespace pensieve::hal::reference
