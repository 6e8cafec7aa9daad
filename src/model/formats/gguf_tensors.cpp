// Reads the tensor table in two passes: the entries as they stand, then their places in the data section.
#include "model/formats/gguf_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "model/formats/checked_math.h"
#include "model/formats/ggml_types.h"
#include "util/unicode.h"

namespace pensieve::model {
namespace {

constexpr std::uint64_t kLeastEntry = 8 + 4 + 4 + 8;

struct Place {
  std::uint64_t offset = 0;            // in the data section, as the file says
  std::optional<std::uint64_t> bytes;  // nothing: the size could not be found out
};

class TensorTable {
 public:
  TensorTable(ByteReader& reader, std::span<const std::byte> file, Findings& findings)
      : reader_(reader), file_(file), findings_(findings) {}

  // False when the table breaks off; what was read so far is kept.
  bool read(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      if (!read_entry(i)) return false;
    }
    return true;
  }

  void place(std::uint64_t alignment) {
    const auto data = checked_align(reader_.at(), alignment);
    if (!data || *data > file_.size()) {
      // A vocabulary-only file may end without the padding before its empty data section.
      if (!tensors_.empty()) {
        findings_.problem(
            fmt::format("tensor data should begin at byte {} (alignment {}), but the file has {} bytes",
                        data.value_or(std::numeric_limits<std::uint64_t>::max()), alignment, file_.size()));
      }
      return;
    }
    const std::span<const std::byte> section = file_.subspan(static_cast<std::size_t>(*data));
    std::optional<std::uint64_t> next = 0;
    for (std::size_t i = 0; i < tensors_.size(); ++i) next = place_one(i, next, alignment, section);
    if (next && *next < section.size() && section.size() - *next > alignment && findings_.clean()) {
      findings_.warning(
          fmt::format("{} bytes follow the last tensor and are ignored", section.size() - *next));
    }
  }

  std::vector<TensorInfo> take() { return std::move(tensors_); }

 private:
  bool ended(std::uint64_t index, std::size_t at) {
    findings_.problem(fmt::format(
        "tensor entry {} at byte {}: the file ends inside it; it was cut short or is damaged", index, at));
    return false;
  }

  bool read_entry(std::uint64_t index) {
    const std::size_t at = reader_.at();
    std::string_view name;
    std::uint32_t dimensions = 0, type_id = 0;
    if (!reader_.read_text(name) || !reader_.read(dimensions)) return ended(index, at);
    if (dimensions > kMostDimensions) {
      findings_.problem(fmt::format("tensor {} at byte {}: {} dimensions, at most {} are possible",
                                    printable(name), at, dimensions, kMostDimensions));
      return false;  // where the entry ends is anybody's guess now
    }
    std::vector<std::uint64_t> sizes(dimensions);  // innermost first, as in the file
    for (std::uint64_t& size : sizes) {
      if (!reader_.read(size)) return ended(index, at);
    }
    Place place;
    if (!reader_.read(type_id) || !reader_.read(place.offset)) return ended(index, at);

    const std::string where = fmt::format("tensor {} at byte {}", printable(name), at);
    if (!check_name(name, where)) return true;
    TensorInfo info;
    info.name = std::string(name);
    place.bytes = describe(sizes, type_id, where, info);
    names_.emplace(name);
    tensors_.push_back(std::move(info));
    places_.push_back(place);
    return true;
  }

  bool check_name(std::string_view name, const std::string& where) {
    const char* fault = nullptr;
    if (name.empty()) fault = "its name is empty";
    if (name.size() > kLongestTensorName) fault = "its name is longer than 63 bytes";
    if (!util::valid_utf8(name)) fault = "its name is not valid UTF-8";
    for (const char c : name) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) fault = "its name holds control characters";
    }
    if (fault == nullptr && names_.count(name) != 0) fault = "a tensor of this name came before";
    if (fault == nullptr) return true;
    findings_.problem(where + ": " + fault);
    // Without a place of its own it would make every later tensor look misplaced.
    gap_ = true;
    return false;
  }

  // Fills shape, codec and type name; returns the size in bytes where all of them make sense.
  std::optional<std::uint64_t> describe(const std::vector<std::uint64_t>& sizes, std::uint32_t type_id,
                                        const std::string& where, TensorInfo& info) {
    constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    std::optional<std::uint64_t> elements = 1;
    bool sizes_fit = true;
    for (const std::uint64_t size : sizes) {
      sizes_fit = sizes_fit && size <= kLargest;
      elements = elements ? checked_multiply(*elements, size) : std::nullopt;
      info.shape.insert(info.shape.begin(), static_cast<std::int64_t>(std::min(size, kLargest)));
    }
    const GgmlType* type = find_ggml_type(type_id);
    info.codec = find_codec(type_id);
    info.type_name = type != nullptr ? std::string(type->name) : fmt::format("type {}", type_id);
    if (!sizes_fit || !elements || *elements > kLargest) {
      findings_.problem(
          fmt::format("{}: the product of its dimensions [{}] is too large", where, fmt::join(sizes, ", ")));
      return std::nullopt;
    }
    if (type == nullptr || type->block_elements == 0) {
      findings_.problem(fmt::format(
          "{}: {} {}", where, type == nullptr ? "unknown tensor" : "removed tensor type", info.type_name));
      return std::nullopt;
    }
    const std::uint64_t row = sizes.empty() ? 1 : sizes.front();
    if (row % type->block_elements != 0) {
      findings_.problem(fmt::format("{}: rows of {} do not divide into {} blocks of {}", where, row,
                                    type->name, type->block_elements));
      return std::nullopt;
    }
    const auto bytes = checked_multiply(*elements / type->block_elements, type->block_bytes);
    if (!bytes) findings_.problem(fmt::format("{}: its size in bytes is too large", where));
    return bytes;
  }

  // Checks tensor i, expected at `expected` (nothing: unknown since an earlier problem); returns where the
  // next belongs.
  std::optional<std::uint64_t> place_one(std::size_t i, std::optional<std::uint64_t> expected,
                                         std::uint64_t alignment, std::span<const std::byte> section) {
    TensorInfo& tensor = tensors_[i];
    const Place& place = places_[i];
    const auto complain = [&](const std::string& what) {
      findings_.problem(fmt::format("tensor {}: {}", printable(tensor.name), what));
    };
    if (place.offset % alignment != 0) {
      complain(fmt::format("its offset {} is not a multiple of the alignment {}", place.offset, alignment));
      return std::nullopt;
    }
    if (!place.bytes) return std::nullopt;
    const auto end = checked_add(place.offset, *place.bytes);
    if (!end || *end > section.size()) {
      complain(fmt::format(
          "{} bytes at offset {} of the data go beyond the end of the file ({} bytes of data); it was cut "
          "short or is damaged",
          *place.bytes, place.offset, section.size()));
      return std::nullopt;
    }
    if (expected && !gap_ && *expected != place.offset) {
      complain(fmt::format("its offset is {}, but the tensor before it ends at {}", place.offset, *expected));
      return checked_align(*end, alignment);
    }
    tensor.bytes =
        section.subspan(static_cast<std::size_t>(place.offset), static_cast<std::size_t>(*place.bytes));
    return checked_align(*end, alignment);
  }

  ByteReader& reader_;
  std::span<const std::byte> file_;
  Findings& findings_;
  std::vector<TensorInfo> tensors_;
  std::vector<Place> places_;
  std::set<std::string_view> names_;  // views into the file
  bool gap_ = false;                  // an entry was dropped, so neighbours need not touch
};

}  // namespace

std::vector<TensorInfo> read_gguf_tensors(ByteReader& reader, std::uint64_t count, std::uint64_t alignment,
                                          std::span<const std::byte> file, Findings& findings) {
  if (count > reader.left() / kLeastEntry || count > kMostTensors) {
    findings.problem(
        fmt::format("the header claims {} tensors; {} fit into the rest of the file and at most {} are read",
                    count, reader.left() / kLeastEntry, kMostTensors));
    return {};
  }
  TensorTable table(reader, file, findings);
  if (table.read(count)) table.place(alignment);
  return table.take();
}

}  // namespace pensieve::model
