// Metadata: the key-value table of a model file, owned copies, whatever the file's format.
// Not a parser: model/formats fills it after checking sizes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/result.h"

namespace pensieve {

using MetadataValue = std::variant<bool, std::int64_t, std::uint64_t, double, std::string, std::vector<bool>,
                                   std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>>;

class Metadata {
 public:
  void set(std::string key, MetadataValue value) {
    values_.insert_or_assign(std::move(key), std::move(value));
  }
  const MetadataValue* find(std::string_view key) const;
  bool contains(std::string_view key) const { return find(key) != nullptr; }

  // Each answers nothing when the key is absent, and an error naming key and found kind when it has another
  // kind. Integers of either signedness convert when the value fits; an integer is accepted where a real is
  // asked for.
  Result<std::optional<bool>> boolean(std::string_view key) const;
  Result<std::optional<std::int64_t>> integer(std::string_view key) const;
  Result<std::optional<double>> real(std::string_view key) const;
  Result<std::optional<std::string>> text(std::string_view key) const;

  // Arrays are borrowed; null when absent or of another kind (validation has reported that before).
  const std::vector<std::string>* texts(std::string_view key) const;
  const std::vector<std::int64_t>* integers(std::string_view key) const;
  const std::vector<double>* reals(std::string_view key) const;

  const std::map<std::string, MetadataValue, std::less<>>& all() const { return values_; }

 private:
  std::map<std::string, MetadataValue, std::less<>> values_;
};

}  // namespace pensieve
