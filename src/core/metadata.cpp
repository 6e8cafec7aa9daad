// Typed access to metadata: conversions that lose nothing, and errors that name the key and the kind found.
#include "core/metadata.h"

#include <fmt/format.h>

#include <limits>

namespace pensieve {
namespace {

constexpr const char* kKinds[] = {"boolean",      "integer",          "integer",          "real",
                                  "text",         "list of booleans", "list of integers", "list of reals",
                                  "list of texts"};
static_assert(std::size(kKinds) == std::variant_size_v<MetadataValue>);

tl::unexpected<Error> wrong_kind(std::string_view key, const MetadataValue& value, const char* wanted) {
  return fail(Error::Code::invalid,
              fmt::format("metadata key {} holds a {}, expected {}", key, kKinds[value.index()], wanted));
}

template <class T>
const T* borrow(const MetadataValue* value) {
  return value == nullptr ? nullptr : std::get_if<T>(value);
}

}  // namespace

const MetadataValue* Metadata::find(std::string_view key) const {
  const auto found = values_.find(key);
  return found == values_.end() ? nullptr : &found->second;
}

Result<std::optional<bool>> Metadata::boolean(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* flag = std::get_if<bool>(value)) return *flag;
  return wrong_kind(key, *value, "a boolean");
}

Result<std::optional<std::int64_t>> Metadata::integer(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<std::int64_t>(value)) return *number;
  if (const auto* number = std::get_if<std::uint64_t>(value)) {
    if (*number <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return static_cast<std::int64_t>(*number);
    }
    return fail(Error::Code::invalid,
                fmt::format("metadata key {} is {}, beyond any sensible size", key, *number));
  }
  return wrong_kind(key, *value, "an integer");
}

Result<std::optional<double>> Metadata::real(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<double>(value)) return *number;
  if (const auto* number = std::get_if<std::int64_t>(value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<std::uint64_t>(value)) return static_cast<double>(*number);
  return wrong_kind(key, *value, "a real");
}

Result<std::optional<std::string>> Metadata::text(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (const auto* found = std::get_if<std::string>(value)) return *found;
  return wrong_kind(key, *value, "a text");
}

const std::vector<std::string>* Metadata::texts(std::string_view key) const {
  return borrow<std::vector<std::string>>(find(key));
}
const std::vector<std::int64_t>* Metadata::integers(std::string_view key) const {
  return borrow<std::vector<std::int64_t>>(find(key));
}
const std::vector<double>* Metadata::reals(std::string_view key) const {
  return borrow<std::vector<double>>(find(key));
}

}  // namespace pensieve
