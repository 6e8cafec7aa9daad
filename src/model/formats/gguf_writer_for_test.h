// Writes small GGUF files for tests and fuzzers, and remembers where each field lies, so that tests can break
// it. Not for users: it checks nothing and has the whole file in memory.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pensieve::model::testing {

enum GgufKind : std::uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kText,
  kArray,
  kU64,
  kI64,
  kF64
};

// A number in the file that a test may overwrite.
struct Field {
  std::string what;
  std::size_t at = 0, size = 0;
};

struct GgufImage {
  std::string bytes;
  std::vector<Field> fields;
  std::size_t data_at = 0;  // begin of the tensor data

  std::span<const std::byte> span() const { return std::as_bytes(std::span(bytes)); }
  template <class T>
  void put(std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
  }
  const Field& field(std::string_view what) const {
    for (const Field& candidate : fields) {
      if (candidate.what == what) return candidate;
    }
    static const Field none;
    return none;
  }
};

class GgufWriter {
 public:
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;  // used for the layout; write the key yourself where it is not 32

  template <class T>
  void number(const std::string& key, GgufKind kind, T value) {
    begin(key, kind);
    append("value of " + key, value);
  }
  void u32(const std::string& key, std::uint32_t value) { number(key, kU32, value); }
  void f32(const std::string& key, float value) { number(key, kF32, value); }
  void boolean(const std::string& key, bool value) { number<std::uint8_t>(key, kBool, value ? 1 : 0); }
  void text(const std::string& key, std::string_view value) {
    begin(key, kText);
    append_text("value of " + key, value);
  }
  void texts(const std::string& key, const std::vector<std::string>& values) {
    begin_array(key, kText, values.size());
    for (const std::string& value : values) append_text("element of " + key, value);
  }
  template <class T>
  void numbers(const std::string& key, GgufKind kind, const std::vector<T>& values) {
    begin_array(key, kind, values.size());
    for (const T value : values) append("", value);
  }
  // `sizes` are as in the file: innermost first.
  void tensor(const std::string& name, std::vector<std::uint64_t> sizes, std::uint32_t type,
              std::string data) {
    tensors_.push_back({name, std::move(sizes), type, std::move(data)});
  }

  GgufImage finish() const {
    GgufImage out;
    out.bytes = "GGUF";
    put(out, "version", version);
    put(out, "tensor count", static_cast<std::uint64_t>(tensors_.size()));
    put(out, "key count", static_cast<std::uint64_t>(keys_));
    for (Field field : table_.fields) {
      field.at += out.bytes.size();
      out.fields.push_back(std::move(field));
    }
    out.bytes += table_.bytes;
    put_tensors(out);
    return out;
  }

 private:
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> sizes;
    std::uint32_t type;
    std::string data;
  };

  template <class T>
  static void put(GgufImage& image, std::string what, T value) {
    if (!what.empty()) image.fields.push_back({std::move(what), image.bytes.size(), sizeof value});
    image.bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  template <class T>
  void append(std::string what, T value) {
    put(table_, std::move(what), value);
  }
  void append_text(const std::string& what, std::string_view text) {
    append("length of " + what, static_cast<std::uint64_t>(text.size()));
    table_.bytes += text;
  }
  void begin(const std::string& key, GgufKind kind) {
    ++keys_;
    append_text("key " + key, key);
    append("kind of " + key, static_cast<std::uint32_t>(kind));
  }
  void begin_array(const std::string& key, GgufKind kind, std::size_t count) {
    begin(key, kArray);
    append("element kind of " + key, static_cast<std::uint32_t>(kind));
    append("count of " + key, static_cast<std::uint64_t>(count));
  }
  void put_tensors(GgufImage& out) const {
    std::string data;
    for (const Tensor& tensor : tensors_) {
      put(out, "length of tensor " + tensor.name, static_cast<std::uint64_t>(tensor.name.size()));
      out.bytes += tensor.name;
      put(out, "dimensions of " + tensor.name, static_cast<std::uint32_t>(tensor.sizes.size()));
      for (const std::uint64_t size : tensor.sizes) put(out, "size of " + tensor.name, size);
      put(out, "type of " + tensor.name, tensor.type);
      put(out, "offset of " + tensor.name, static_cast<std::uint64_t>(data.size()));
      data += tensor.data;
      data.resize((data.size() + alignment - 1) / alignment * alignment);
    }
    out.bytes.resize((out.bytes.size() + alignment - 1) / alignment * alignment);
    out.data_at = out.bytes.size();
    out.bytes += data;
  }

  GgufImage table_;
  std::size_t keys_ = 0;
  std::vector<Tensor> tensors_;
};

}  // namespace pensieve::model::testing
