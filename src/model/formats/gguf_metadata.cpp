// Reads the key-value table; nothing is reserved or copied before the bytes for it are known to be there.
#include "model/formats/gguf_metadata.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

#include "util/unicode.h"

namespace pensieve::model {
namespace {

constexpr std::uint64_t kLeastAlignment = 8;

enum class Kind : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };
constexpr std::uint32_t kKinds = 13;
// Fewest bytes of one value of each kind; a text is at least its length, an array is refused inside arrays.
constexpr std::array<std::uint64_t, kKinds> kLeastBytes{1, 1, 2, 2, 4, 4, 4, 1, 8, 12, 8, 8, 8};
constexpr std::uint64_t kLongestKey = 65535;  // by the specification
constexpr std::uint64_t kLeastEntry = 8 + 4 + 1;

class TableReader {
 public:
  TableReader(ByteReader& reader, Findings& findings) : reader_(reader), findings_(findings) {}

  Result<GgufMetadata> read(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      entry_ = i;
      entry_at_ = reader_.at();
      if (Result<> done = read_entry(); !done) return tl::unexpected(std::move(done).error());
    }
    return std::move(out_);
  }

 private:
  tl::unexpected<Error> broken(const std::string& what) const {
    return fail(Error::Code::invalid,
                fmt::format("metadata entry {} at byte {}: {}", entry_, entry_at_, what));
  }
  tl::unexpected<Error> ended() const {
    return broken("the file ends inside it; it was cut short or is damaged");
  }
  std::string where() const { return fmt::format("metadata key {} at byte {}", printable(key_), entry_at_); }

  Result<> read_entry() {
    key_ = {};
    if (!reader_.read_text(key_)) return broken("the key's length goes beyond the end of the file");
    std::uint32_t kind = 0;
    if (!reader_.read(kind)) return ended();
    if (kind >= kKinds)
      return broken(fmt::format("key {} has the unknown value type {}", printable(key_), kind));
    MetadataValue value;
    if (Result<> done = read_value(static_cast<Kind>(kind), value); !done) return done;
    if (!check_key()) return {};
    if (out_.values.contains(key_)) {
      findings_.problem(where() + ": the key is there twice");
      return {};
    }
    if (key_ == "general.alignment") take_alignment(static_cast<Kind>(kind), value);
    out_.values.set(std::string(key_), std::move(value));
    return {};
  }

  bool check_key() {
    const char* fault = nullptr;
    if (key_.empty()) fault = "a key must not be empty";
    if (key_.size() > kLongestKey) fault = "a key is at most 65535 bytes long";
    if (!util::valid_utf8(key_)) fault = "a key must be valid UTF-8";
    for (const char c : key_) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) fault = "a key must not hold control characters";
    }
    if (fault != nullptr) findings_.problem(where() + ": " + fault);
    return fault == nullptr;
  }

  void take_alignment(Kind kind, const MetadataValue& value) {
    const auto* number = std::get_if<std::uint64_t>(&value);
    if (kind != Kind::u32 || number == nullptr) {
      findings_.problem(where() + ": must be of type uint32");
    } else if (*number == 0 || (*number & (*number - 1)) != 0) {
      findings_.problem(fmt::format("{}: {} is not a power of two", where(), *number));
    } else if (*number < kLeastAlignment) {  // as the format says: weights are read as whole words
      findings_.problem(fmt::format("{}: {} is no multiple of {}", where(), *number, kLeastAlignment));
    } else {
      out_.alignment = *number;
    }
  }

  Result<> read_value(Kind kind, MetadataValue& out) {
    switch (kind) {
      case Kind::u8:
        return read_number<std::uint8_t>(out);
      case Kind::i8:
        return read_number<std::int8_t>(out);
      case Kind::u16:
        return read_number<std::uint16_t>(out);
      case Kind::i16:
        return read_number<std::int16_t>(out);
      case Kind::u32:
        return read_number<std::uint32_t>(out);
      case Kind::i32:
        return read_number<std::int32_t>(out);
      case Kind::u64:
        return read_number<std::uint64_t>(out);
      case Kind::i64:
        return read_number<std::int64_t>(out);
      case Kind::f32:
        return read_number<float>(out);
      case Kind::f64:
        return read_number<double>(out);
      case Kind::boolean:
        return read_boolean(out);
      case Kind::text:
        return read_text(out);
      case Kind::array:
        return read_array(out);
    }
    return ended();
  }

  template <class T>
  Result<> read_number(MetadataValue& out) {
    T number{};
    if (!reader_.read(number)) return ended();
    if constexpr (std::is_floating_point_v<T>) {
      out = static_cast<double>(number);
    } else if constexpr (std::is_signed_v<T>) {
      out = static_cast<std::int64_t>(number);
    } else {
      out = static_cast<std::uint64_t>(number);
    }
    return {};
  }

  Result<> read_boolean(MetadataValue& out) {
    std::uint8_t byte = 0;
    if (!reader_.read(byte)) return ended();
    if (byte > 1)
      findings_.warning(fmt::format("{}: the boolean is stored as {}, read as true", where(), byte));
    out = byte != 0;
    return {};
  }

  Result<> read_text(MetadataValue& out) {
    std::string_view text;
    if (!reader_.read_text(text))
      return broken(fmt::format("the text of key {} goes beyond the end of the file", printable(key_)));
    out = std::string(text);
    return {};
  }

  Result<> read_array(MetadataValue& out) {
    std::uint32_t kind = 0;
    std::uint64_t count = 0;
    if (!reader_.read(kind) || !reader_.read(count)) return ended();
    if (kind >= kKinds || static_cast<Kind>(kind) == Kind::array) {
      return broken(fmt::format(
          "key {} is an array of {}", printable(key_),
          kind >= kKinds ? fmt::format("the unknown type {}", kind) : "arrays, which no model needs"));
    }
    if (count > reader_.left() / kLeastBytes[kind]) {
      return broken(fmt::format("key {} claims {} elements, more than the rest of the file can hold",
                                printable(key_), count));
    }
    if (count > elements_left_) {
      return broken(fmt::format("key {} claims {} elements; a file may have {} in all its arrays",
                                printable(key_), count, kMostArrayElements));
    }
    elements_left_ -= count;
    return read_elements(static_cast<Kind>(kind), count, out);
  }

  Result<> read_elements(Kind kind, std::uint64_t count, MetadataValue& out) {
    switch (kind) {
      case Kind::u8:
        return read_numbers<std::uint8_t, std::int64_t>(count, out);
      case Kind::i8:
        return read_numbers<std::int8_t, std::int64_t>(count, out);
      case Kind::u16:
        return read_numbers<std::uint16_t, std::int64_t>(count, out);
      case Kind::i16:
        return read_numbers<std::int16_t, std::int64_t>(count, out);
      case Kind::u32:
        return read_numbers<std::uint32_t, std::int64_t>(count, out);
      case Kind::i32:
        return read_numbers<std::int32_t, std::int64_t>(count, out);
      case Kind::u64:
        return read_numbers<std::uint64_t, std::int64_t>(count, out);
      case Kind::i64:
        return read_numbers<std::int64_t, std::int64_t>(count, out);
      case Kind::f32:
        return read_numbers<float, double>(count, out);
      case Kind::f64:
        return read_numbers<double, double>(count, out);
      case Kind::boolean:
        return read_booleans(count, out);
      case Kind::text:
        return read_texts(count, out);
      case Kind::array:
        break;
    }
    return ended();
  }

  template <class Stored, class Kept>
  Result<> read_numbers(std::uint64_t count, MetadataValue& out) {
    std::vector<Kept> numbers;
    numbers.reserve(count);
    bool too_large = false;
    for (std::uint64_t i = 0; i < count; ++i) {
      Stored number{};
      if (!reader_.read(number)) return ended();
      if constexpr (std::is_same_v<Stored, std::uint64_t>) {
        constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
        too_large = too_large || number > kLargest;
        numbers.push_back(static_cast<Kept>(number > kLargest ? kLargest : number));
      } else {
        numbers.push_back(static_cast<Kept>(number));
      }
    }
    if (too_large) findings_.warning(where() + ": holds numbers beyond 2^63 - 1, read as that");
    out = std::move(numbers);
    return {};
  }

  Result<> read_booleans(std::uint64_t count, MetadataValue& out) {
    std::vector<bool> flags;
    flags.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint8_t byte = 0;
      if (!reader_.read(byte)) return ended();
      flags.push_back(byte != 0);
    }
    out = std::move(flags);
    return {};
  }

  Result<> read_texts(std::uint64_t count, MetadataValue& out) {
    std::vector<std::string> texts;
    texts.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string_view text;
      if (!reader_.read_text(text)) {
        return broken(
            fmt::format("element {} of key {} goes beyond the end of the file", i, printable(key_)));
      }
      texts.emplace_back(text);
    }
    out = std::move(texts);
    return {};
  }

  ByteReader& reader_;
  Findings& findings_;
  GgufMetadata out_;
  std::string_view key_;
  std::uint64_t entry_ = 0;
  std::size_t entry_at_ = 0;
  std::uint64_t elements_left_ = kMostArrayElements;
};

}  // namespace

Result<GgufMetadata> read_gguf_metadata(ByteReader& reader, std::uint64_t count, Findings& findings) {
  if (count > reader.left() / kLeastEntry) {
    return fail(
        Error::Code::invalid,
        fmt::format("the header claims {} metadata entries, more than the file can hold ({} bytes left)",
                    count, reader.left()));
  }
  if (count > kMostKeys) {
    return fail(Error::Code::invalid,
                fmt::format("the header claims {} metadata entries; at most {} are read", count, kMostKeys));
  }
  return TableReader(reader, findings).read(count);
}

}  // namespace pensieve::model
