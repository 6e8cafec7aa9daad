// Each function checks the shapes that it relies on; sizes in bytes were checked by the parser.
#include "model/formats/hf_repack.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <cstring>

#include "core/codec.h"

namespace pensieve::model {
namespace {

// E4M3 without infinities: sign, 4 bits of exponent with bias 7, 3 of fraction; all ones is no number.
float float8(std::uint8_t bits) {
  const int exponent = (bits >> 3) & 15, fraction = bits & 7;
  float value = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -9)
                              : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  if (exponent == 15 && fraction == 7) value = std::nanf("");
  return (bits & 128) != 0 ? -value : value;
}

Result<std::vector<float>> numbers(const SafeTensor& tensor) {
  const Codec* codec = find_codec(tensor.type == "F32"    ? "f32"
                                  : tensor.type == "BF16" ? "bf16"
                                  : tensor.type == "F16"  ? "f16"
                                                          : "");
  if (codec == nullptr)
    return fail(Error::Code::unsupported, fmt::format("scales of type {} are not supported", tensor.type));
  std::vector<float> values(tensor.bytes.size() / codec->block_bytes);
  decode_row(*codec, reinterpret_cast<const unsigned char*>(tensor.bytes.data()), values.size(),
             values.data());
  return values;
}

struct ScaleGrid {
  std::vector<float> values;
  std::size_t block_rows = 1, block_columns = 1, columns = 1;  // elements of a block; blocks in a row
};

Result<ScaleGrid> scale_grid(const SafeTensor* scales, std::size_t rows, std::size_t columns) {
  constexpr std::size_t kBlock = 128;
  if (scales == nullptr) return ScaleGrid{{1.0F}, rows, columns, 1};
  Result<std::vector<float>> values = numbers(*scales);
  if (!values) return tl::unexpected(values.error());
  if (values->size() == 1) return ScaleGrid{std::move(*values), rows, columns, 1};
  if (values->size() == rows) return ScaleGrid{std::move(*values), 1, columns, 1};
  const std::size_t down = (rows + kBlock - 1) / kBlock, across = (columns + kBlock - 1) / kBlock;
  if (values->size() == down * across) return ScaleGrid{std::move(*values), kBlock, kBlock, across};
  return fail(
      Error::Code::unsupported,
      fmt::format(
          "{} scales for {} x {} values; one, one a row, or one for each block of 128 x 128 are known",
          values->size(), rows, columns));
}

}  // namespace

std::vector<std::byte> transposed(std::span<const std::byte> bytes, std::size_t rows, std::size_t columns,
                                  std::size_t element) {
  std::vector<std::byte> out(bytes.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      std::memcpy(out.data() + (c * rows + r) * element, bytes.data() + (r * columns + c) * element, element);
    }
  }
  return out;
}

Result<std::vector<std::byte>> split_fused_heads(std::span<const std::byte> bytes,
                                                 const std::vector<std::int64_t>& shape,
                                                 std::int64_t kv_heads, std::int64_t group,
                                                 std::int64_t head_rows) {
  const std::int64_t rows = shape.empty() ? 0 : shape.front();
  if (kv_heads < 1 || group < 1 || head_rows < 1 || rows != kv_heads * (group + 2) * head_rows) {
    return fail(Error::Code::invalid,
                fmt::format("{} rows do not hold {} key heads with {} queries each", rows, kv_heads, group));
  }
  const std::size_t head_bytes = bytes.size() / static_cast<std::size_t>(kv_heads * (group + 2));
  std::vector<std::byte> out(bytes.size());
  std::byte* to = out.data();
  const auto copy = [&](std::int64_t head, std::int64_t piece) {
    std::memcpy(to, bytes.data() + static_cast<std::size_t>(head * (group + 2) + piece) * head_bytes,
                head_bytes);
    to += head_bytes;
  };
  for (std::int64_t head = 0; head < kv_heads; ++head) {
    for (std::int64_t piece = 0; piece < group; ++piece) copy(head, piece);
  }
  for (const std::int64_t piece : {group, group + 1}) {
    for (std::int64_t head = 0; head < kv_heads; ++head) copy(head, piece);
  }
  return out;
}

std::vector<std::byte> every_second(std::span<const std::byte> bytes, std::size_t element,
                                    std::size_t first) {
  std::vector<std::byte> out;
  out.reserve(bytes.size() / 2);
  for (std::size_t at = first * element; at + element <= bytes.size(); at += 2 * element)
    out.insert(out.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
               bytes.begin() + static_cast<std::ptrdiff_t>(at + element));
  return out;
}

Result<std::vector<std::byte>> decode_float8(const SafeTensor& values, const SafeTensor* scales) {
  if (values.shape.empty() || values.bytes.empty()) return fail(Error::Code::invalid, "an empty FP8 tensor");
  const auto columns = static_cast<std::size_t>(values.shape.back());
  const std::size_t rows = values.bytes.size() / columns;
  const Result<ScaleGrid> grid = scale_grid(scales, rows, columns);
  if (!grid) return tl::unexpected(grid.error());
  std::vector<std::byte> out(values.bytes.size() * sizeof(float));
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const float scale = grid->values[r / grid->block_rows * grid->columns + c / grid->block_columns];
      const std::size_t at = r * columns + c;
      const float value = float8(std::to_integer<std::uint8_t>(values.bytes[at])) * scale;
      std::memcpy(out.data() + at * sizeof(float), &value, sizeof value);
    }
  }
  return out;
}

Result<std::vector<std::byte>> repack_mxfp4(const SafeTensor& blocks, const SafeTensor& scales,
                                            bool alternate, std::size_t half) {
  constexpr std::size_t kBytes = 16;  // 32 numbers
  const std::vector<std::int64_t>& shape = blocks.shape;
  const bool fits = blocks.type == "U8" && scales.type == "U8" && shape.size() == 4 && shape[3] == kBytes &&
                    scales.shape == std::vector<std::int64_t>(shape.begin(), shape.begin() + 3) &&
                    (!alternate || shape[1] % 2 == 0);
  if (!fits)
    return fail(Error::Code::invalid,
                fmt::format("blocks of shape [{}] and scales of [{}] do not belong together",
                            fmt::join(shape, ", "), fmt::join(scales.shape, ", ")));
  const auto in_row = static_cast<std::size_t>(shape[2]);
  const std::size_t rows = static_cast<std::size_t>(shape[0]) * static_cast<std::size_t>(shape[1]);
  std::vector<std::byte> out;
  out.reserve(scales.bytes.size() * (kBytes + 1) / (alternate ? 2 : 1));
  for (std::size_t row = alternate ? half : 0; row < rows; row += alternate ? 2 : 1) {
    for (std::size_t block = row * in_row; block < (row + 1) * in_row; ++block) {
      out.push_back(scales.bytes[block]);
      // Neighbours share a byte here; GGUF's codec has element i and i + 16 in one.
      const std::byte* from = blocks.bytes.data() + block * kBytes;
      const auto nibble = [&](std::size_t i) {
        return std::to_integer<unsigned>(from[i / 2]) >> (i % 2 * 4) & 15U;
      };
      for (std::size_t i = 0; i < kBytes; ++i)
        out.push_back(static_cast<std::byte>(nibble(i) | nibble(i + 16) << 4));
    }
  }
  return out;
}

}  // namespace pensieve::model
