// Writer and Reader: values to bytes and back, for messages between the gateway and its workers. Both ends
// are the same executable on one machine, so there are no versions and numbers lie as in memory; but either
// end may have been taken over, so a Reader trusts nothing: counts are checked against the bytes that are
// left, and memory grows with what was really read. Which fields a type has is said once for both, in
// fields.h.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/result.h"
#include "util/unicode.h"

namespace pensieve::manage::wire {

static_assert(std::endian::native == std::endian::little);

// Marks a string that core promises to be UTF-8: a Reader repairs what is not. Other strings are any bytes.
template <class String>
struct Text {
  String& value;
};
template <class String>
Text(String&) -> Text<String>;

// The last value of an enumeration that travels, counted from 0: fields.h says it of each.
template <class Enum>
struct LastOf;

template <class T>
concept Plain = std::is_arithmetic_v<T> && !std::same_as<T, bool>;

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class... Values>
  void operator()(const Values&... values) {
    (put(values), ...);
  }

 private:
  template <Plain T>
  void put(const T& value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  void put(const bool& value) { out_ += value ? '\1' : '\0'; }
  template <class T>
  requires std::is_enum_v<T>
  void put(const T& value) { out_ += static_cast<char>(value); }
  void put(const std::string& value) {
    count(value.size());
    out_ += value;
  }
  template <class String>
  void put(const Text<String>& text) {
    put(text.value);
  }
  template <class T>
  void put(const std::vector<T>& values) {
    count(values.size());
    if constexpr (Plain<T>) {
      out_.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
    } else {
      for (const T& value : values) put(value);
    }
  }
  template <class A, class B>
  void put(const std::pair<A, B>& value) {
    put(value.first);
    put(value.second);
  }
  template <class T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <class... Ts>
  void put(const std::variant<Ts...>& value) {
    out_ += static_cast<char>(value.index());
    std::visit([this](const auto& held) { this->put(held); }, value);
  }
  template <class T>
  void put(const T& value) {
    fields(*this, value);
  }

  // More than the count can say is more than a frame can hold: the frame is refused for its size.
  void count(std::size_t size) { put(static_cast<std::uint32_t>(size)); }

  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class... Values>
  void operator()(Values&&... values) {
    (get(values), ...);
  }
  // False once anything was wrong; what was read is then of no use.
  bool good() const { return good_; }
  bool whole() const { return good_ && rest_.empty(); }  // nothing wrong and nothing left

 private:
  template <Plain T>
  void get(T& value) {
    if (take(sizeof value)) std::memcpy(&value, taken_, sizeof value);
  }
  void get(bool& value) {
    const std::uint8_t byte = small(1);
    value = byte == 1;
  }
  template <class T>
  requires std::is_enum_v<T>
  void get(T& value) { value = static_cast<T>(small(static_cast<std::uint8_t>(LastOf<T>::value))); }
  void get(std::string& value) {
    if (const std::size_t size = count(1); take(size)) value.assign(taken_, size);
  }
  template <class String>
  void get(Text<String>& text) {
    get(text.value);
    if (good_ && !util::valid_utf8(text.value)) text.value = util::repair_utf8(text.value);
  }
  template <class T>
  void get(std::vector<T>& values) {
    values.clear();
    if constexpr (Plain<T>) {
      const std::size_t size = count(sizeof(T));
      if (!take(size * sizeof(T)) || size == 0) return;
      values.resize(size);
      std::memcpy(values.data(), taken_, size * sizeof(T));
    } else {
      // Not reserved: a value in memory is larger than the one byte that it may claim to need here.
      for (std::size_t left = count(1); left > 0 && good_; --left) get(values.emplace_back());
    }
  }
  template <class A, class B>
  void get(std::pair<A, B>& value) {
    get(value.first);
    get(value.second);
  }
  template <class T>
  void get(std::optional<T>& value) {
    bool present = false;
    get(present);
    value.reset();
    if (present) get(value.emplace());
  }
  template <class... Ts>
  void get(std::variant<Ts...>& value) {
    const std::size_t index = small(sizeof...(Ts) - 1);
    if (good_) alternative(value, index, std::index_sequence_for<Ts...>{});
  }
  template <class T>
  void get(T& value) {
    fields(*this, value);
  }

  template <class Variant, std::size_t... Is>
  void alternative(Variant& value, std::size_t index, std::index_sequence<Is...>) {
    ((index == Is ? get(value.template emplace<Is>()) : void()), ...);
  }
  std::uint8_t small(std::uint8_t last) {
    std::uint8_t byte = 0;
    get(byte);
    if (byte > last) good_ = false;
    return good_ ? byte : 0;
  }
  std::size_t count(std::size_t least_bytes) {
    std::uint32_t size = 0;
    get(size);
    if (size > rest_.size() / least_bytes) good_ = false;
    return good_ ? size : 0;
  }
  bool take(std::size_t size) {
    if (size > rest_.size()) good_ = false;
    if (!good_) return false;
    taken_ = rest_.data();
    rest_.remove_prefix(size);
    return true;
  }

  std::string_view rest_;
  const char* taken_ = nullptr;
  bool good_ = true;
};

}  // namespace pensieve::manage::wire
