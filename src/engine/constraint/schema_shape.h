// Shapes of JSON Schema: a schema, with its references, allOf, anyOf and oneOf resolved, as alternatives,
// each a plain list of schemas that must all hold. Keywords that cannot be enforced are refused here. Not the
// automaton: schema_compiler.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/constraint/json_pieces.h"
#include "util/json.h"

namespace pensieve::engine::constraint {

using Schemas = std::vector<const util::Json*>;  // all must hold; objects or booleans

enum Type : std::uint8_t {
  kNull = 1,
  kBoolean = 2,
  kInteger = 4,
  kFraction = 8,  // numbers that are no integers
  kString = 16,
  kArray = 32,
  kObject = 64,
  kEverything = 127,
};

// Schemas without references and combinations; what they say together.
class Shape {
 public:
  Shape(Schemas parts, std::shared_ptr<Work> work);
  const Schemas& parts() const { return parts_; }
  std::uint8_t types() const { return types_; }
  const std::optional<std::vector<util::Json>>& values() const { return values_; }  // enum and const
  std::optional<Bound> low() const, high() const;
  std::int64_t largest(const char* keyword, std::int64_t otherwise) const;   // minLength, minItems
  std::int64_t smallest(const char* keyword, std::int64_t otherwise) const;  // maxLength, maxItems
  std::vector<Dfa> patterns() const;  // of strings, as they are written inside quotes
  bool has(const char* keyword) const;
  // Whether no value can have both shapes, as far as types, values and discriminating members show.
  bool excludes(const Shape& other) const;

 private:
  std::optional<Bound> bound(const char* inclusive, const char* exclusive, int sign) const;
  bool allows(const util::Json& value) const;
  std::shared_ptr<Work> work_;
  Schemas parts_;
  std::uint8_t types_ = kEverything;
  std::optional<std::vector<util::Json>> values_;
};

class Shapes {
 public:
  Shapes(const util::Json& root, std::shared_ptr<Work> work) : root_(root), work_(std::move(work)) {}
  // The alternatives; none: nothing is valid.
  std::vector<Shape> of(const Schemas& schemas) const;

 private:
  void expand(Schemas pending, Schemas done, std::vector<Schemas>& out) const;
  void check_disjoint(const util::Json& branches) const;
  const util::Json& resolve(const std::string& reference) const;
  const util::Json& root_;
  std::shared_ptr<Work> work_;
};

}  // namespace pensieve::engine::constraint
