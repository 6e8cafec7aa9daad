// The header's JSON, then each tensor's type, shape and range; ranges must follow one another and end with
// the file.
#include "model/formats/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "model/formats/byte_reader.h"
#include "model/formats/checked_math.h"
#include "model/formats/findings.h"
#include "util/json.h"

namespace pensieve::model {
namespace {

using util::Json;

constexpr std::uint64_t kLargestHeader = 100'000'000;  // as the reference reader has it
constexpr std::size_t kMostDimensions = 32;

constexpr auto kBits = std::to_array<std::pair<std::string_view, std::uint64_t>>(
    {{"BOOL", 8}, {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
     {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},
     {"U16", 16}, {"F16", 16},    {"BF16", 16},   {"I32", 32},    {"U32", 32},
     {"F32", 32}, {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}});

tl::unexpected<Error> wrong(const std::string& what) {
  return fail(Error::Code::invalid, "the SafeTensors file is damaged or malformed: " + what, {},
              "model_invalid");
}

tl::unexpected<Error> wrong(const std::string& tensor, const std::string& what) {
  return wrong(fmt::format("tensor {}: {}", printable(tensor), what));
}

struct Range {
  std::uint64_t begin = 0, end = 0;
};

Result<std::uint64_t> whole_number(const Json& value, const std::string& tensor, const char* of) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  return wrong(tensor, fmt::format("{} holds {}, which is no whole number from 0 on", of,
                                   printable(util::to_json(value))));
}

Result<std::uint64_t> read_shape(const Json& shape, SafeTensor& tensor) {
  if (!shape.is_array()) return wrong(tensor.name, "shape is no list");
  if (shape.size() > kMostDimensions) return wrong(tensor.name, fmt::format("{} dimensions", shape.size()));
  std::uint64_t elements = 1;
  for (const Json& size : shape) {
    const Result<std::uint64_t> read = whole_number(size, tensor.name, "shape");
    if (!read) return read;
    const auto product = checked_multiply(elements, *read);
    if (!product || *read > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return wrong(tensor.name, "the product of its shape is too large");
    elements = *product;
    tensor.shape.push_back(static_cast<std::int64_t>(*read));
  }
  return elements;
}

Result<Range> read_range(const Json& offsets, const SafeTensor& tensor) {
  if (!offsets.is_array() || offsets.size() != 2)
    return wrong(tensor.name, "data_offsets is no list of two numbers");
  const Result<std::uint64_t> begin = whole_number(offsets[0], tensor.name, "data_offsets");
  const Result<std::uint64_t> end = whole_number(offsets[1], tensor.name, "data_offsets");
  if (!begin) return tl::unexpected(begin.error());
  if (!end) return tl::unexpected(end.error());
  if (*end < *begin)
    return wrong(tensor.name, fmt::format("ends at {} before it begins at {}", *end, *begin));
  return Range{*begin, *end};
}

Result<std::pair<SafeTensor, Range>> read_tensor(const std::string& name, const Json& entry) {
  SafeTensor tensor{.name = name};
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    if (!entry.is_object() || !entry.contains(key)) return wrong(name, fmt::format("has no {}", key));
  }
  if (!entry["dtype"].is_string()) return wrong(name, "dtype is no text");
  tensor.type = entry["dtype"].get<std::string>();
  const auto known =
      std::find_if(kBits.begin(), kBits.end(), [&](const auto& type) { return type.first == tensor.type; });
  if (known == kBits.end())
    return wrong(name, fmt::format("has the unknown type {}", printable(tensor.type)));
  const Result<std::uint64_t> elements = read_shape(entry["shape"], tensor);
  if (!elements) return tl::unexpected(elements.error());
  const Result<Range> range = read_range(entry["data_offsets"], tensor);
  if (!range) return tl::unexpected(range.error());
  const auto bits = checked_multiply(*elements, known->second);
  if (!bits || *bits % 8 != 0) return wrong(name, "its elements are no whole number of bytes");
  if (*bits / 8 != range->end - range->begin) {
    return wrong(name, fmt::format("{} bytes for {} elements of {}", range->end - range->begin, *elements,
                                   tensor.type));
  }
  return std::pair{std::move(tensor), *range};
}

Result<Json> read_header(std::span<const std::byte> file) {
  ByteReader reader(file);
  std::uint64_t size = 0;
  if (!reader.read(size)) return wrong(fmt::format("{} bytes are too few for a header", file.size()));
  if (size > kLargestHeader)
    return wrong(fmt::format("a header of {} bytes; {} are possible", size, kLargestHeader));
  if (size > reader.left())
    return wrong(fmt::format("a header of {} bytes in a file of {}", size, file.size()));
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + sizeof size,
                              static_cast<std::size_t>(size));
  if (text.empty() || text.front() != '{') return wrong("the header does not begin with '{'");
  Result<Json> header = util::parse_json(text);
  if (!header) return wrong("header: " + header.error().what);
  return header;
}

Result<> check_notes(const Json& notes) {
  if (notes.is_null()) return {};
  if (!notes.is_object()) return wrong("__metadata__ is no object");
  for (const Json& value : notes) {
    if (!value.is_string()) return wrong("__metadata__ holds something else than text");
  }
  return {};
}

}  // namespace

Result<std::vector<SafeTensor>> parse_safetensors(std::span<const std::byte> file) {
  Result<Json> header = read_header(file);
  if (!header) return tl::unexpected(std::move(header.error()));
  std::vector<std::pair<SafeTensor, Range>> found;
  for (const auto& item : header->items()) {
    if (item.key() == "__metadata__") {
      if (Result<> sound = check_notes(item.value()); !sound) return tl::unexpected(std::move(sound.error()));
      continue;
    }
    Result<std::pair<SafeTensor, Range>> tensor = read_tensor(item.key(), item.value());
    if (!tensor) return tl::unexpected(std::move(tensor.error()));
    found.push_back(std::move(*tensor));
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second.begin, a.second.end) < std::pair(b.second.begin, b.second.end);
  });
  std::uint64_t header_size = 0;
  static_cast<void>(ByteReader(file).read(header_size));
  const std::span<const std::byte> data =
      file.subspan(sizeof header_size + static_cast<std::size_t>(header_size));
  std::uint64_t at = 0;
  std::vector<SafeTensor> tensors;
  for (auto& [tensor, range] : found) {
    if (range.begin != at)
      return wrong(tensor.name, fmt::format("begins at {}, expected {}", range.begin, at));
    if (range.end > data.size())
      return wrong(tensor.name, fmt::format("ends at {} of {} bytes", range.end, data.size()));
    at = range.end;
    tensor.bytes = data.subspan(static_cast<std::size_t>(range.begin),
                                static_cast<std::size_t>(range.end - range.begin));
    tensors.push_back(std::move(tensor));
  }
  if (at != data.size())
    return wrong(fmt::format("{} bytes of tensors in {} bytes of data", at, data.size()));
  return tensors;
}

}  // namespace pensieve::model
