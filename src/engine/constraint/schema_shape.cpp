// Which keywords there are, and what several schemas say together.
#include "engine/constraint/schema_shape.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/constraint/regex.h"
#include "util/unicode.h"

namespace pensieve::engine::constraint {
namespace {

using util::Json;

constexpr std::size_t kMostAlternatives = 256;
constexpr std::size_t kShapeSteps = 50, kValueSteps = 10;  // of looking at a schema, at a value

// Part of the vocabulary, but not enforced. Keywords that no vocabulary knows say nothing, as the
// specification has it.
constexpr std::array<const char*, 17> kUnsupported{"not",
                                                   "if",
                                                   "then",
                                                   "else",
                                                   "contains",
                                                   "minContains",
                                                   "maxContains",
                                                   "multipleOf",
                                                   "propertyNames",
                                                   "dependencies",
                                                   "dependentSchemas",
                                                   "dependentRequired",
                                                   "unevaluatedProperties",
                                                   "unevaluatedItems",
                                                   "$dynamicRef",
                                                   "$recursiveRef",
                                                   "maxProperties"};

void check_keywords(const Json& schema) {
  for (const char* keyword : kUnsupported) {
    if (schema.contains(keyword))
      throw Refusal(fmt::format("the schema keyword '{}' is not supported", keyword));
  }
  if (schema.contains("uniqueItems") && schema["uniqueItems"] != Json(false))
    throw Refusal("the schema keyword 'uniqueItems' is not supported");
  if (schema.contains("minProperties") && schema["minProperties"] != Json(0))
    throw Refusal("the schema keyword 'minProperties' is not supported");
}

std::uint8_t type_named(const Json& name) {
  static constexpr std::array<std::pair<const char*, int>, 7> kNames{{{"null", kNull},
                                                                      {"boolean", kBoolean},
                                                                      {"integer", kInteger},
                                                                      {"number", kInteger | kFraction},
                                                                      {"string", kString},
                                                                      {"array", kArray},
                                                                      {"object", kObject}}};
  for (const auto& known : kNames) {
    if (name == Json(known.first)) return static_cast<std::uint8_t>(known.second);
  }
  throw Refusal(fmt::format("the schema's type {} is none of JSON Schema's", util::to_json(name)));
}

std::uint8_t type_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return kNull;
    case Json::value_t::boolean:
      return kBoolean;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return kInteger;
    case Json::value_t::number_float:
      return std::trunc(value.get<double>()) == value.get<double>() ? kInteger : kFraction;
    case Json::value_t::string:
      return kString;
    case Json::value_t::array:
      return kArray;
    default:
      return kObject;
  }
}

// JSON Schema's equality: members in any order, 1 equal to 1.0.
bool equal(const Json& a, const Json& b) {
  if (a.is_object() && b.is_object()) {
    if (a.size() != b.size()) return false;
    return std::all_of(a.items().begin(), a.items().end(), [&](const auto& entry) {
      return b.contains(entry.key()) && equal(entry.value(), b[entry.key()]);
    });
  }
  if (a.is_array() && b.is_array()) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), equal);
  }
  return a == b;
}

std::vector<Json> intersection(const std::vector<Json>& a, const std::vector<Json>& b, Work& work) {
  work.spend(a.size() * b.size());
  std::vector<Json> both;
  for (const Json& value : a) {
    if (std::any_of(b.begin(), b.end(), [&](const Json& other) { return equal(value, other); }))
      both.push_back(value);
  }
  return both;
}

std::int64_t count(const Json& schema, const char* keyword) {
  const Json& value = schema[keyword];
  if (!value.is_number() || value.get<double>() < 0 || value.get<double>() > 1e9)
    throw Refusal(fmt::format("the schema's {} is {}, not a count", keyword, util::to_json(value)));
  return static_cast<std::int64_t>(value.get<double>());
}

std::string unescaped(std::string_view token) {
  std::string out;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '%' && i + 2 < token.size()) {
      const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
      out += static_cast<char>((digit(token[i + 1]) << 4) | digit(token[i + 2]));
      i += 2;
    } else {
      out += token[i];
    }
  }
  std::string plain;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] == '~' && i + 1 < out.size() && (out[i + 1] == '0' || out[i + 1] == '1')) {
      plain += out[++i] == '0' ? '~' : '/';
    } else {
      plain += out[i];
    }
  }
  return plain;
}

const Json* find_anchor(const Json& schema, const std::string& anchor, Work& work) {
  work.spend(kValueSteps);
  if (schema.is_object() && schema.contains("$anchor") && schema["$anchor"] == Json(anchor)) return &schema;
  if (!schema.is_structured()) return nullptr;
  for (const auto& entry : schema.items()) {
    if (const Json* found = find_anchor(entry.value(), anchor, work)) return found;
  }
  return nullptr;
}

}  // namespace

Shape::Shape(Schemas parts, std::shared_ptr<Work> work) : work_(std::move(work)), parts_(std::move(parts)) {
  work_->spend(kShapeSteps * parts_.size());
  for (const Json* part : parts_) {
    if (part->contains("type")) {
      const Json& type = (*part)["type"];
      std::uint8_t types = 0;
      if (type.is_array()) {
        for (const Json& one : type) types |= type_named(one);
      } else {
        types = type_named(type);
      }
      types_ &= types;
    }
    std::optional<std::vector<Json>> values;
    if (part->contains("enum")) {
      if (!(*part)["enum"].is_array()) throw Refusal("the schema's enum is no list");
      work_->spend(kValueSteps * (*part)["enum"].size());
      values.emplace((*part)["enum"].begin(), (*part)["enum"].end());
    }
    if (part->contains("const")) {
      const std::vector<Json> constant{(*part)["const"]};
      values = values ? intersection(*values, constant, *work_) : constant;
    }
    if (values) values_ = values_ ? intersection(*values_, *values, *work_) : std::move(*values);
  }
  if (!values_) return;
  std::erase_if(*values_, [this](const Json& value) { return !allows(value); });
}

bool Shape::has(const char* keyword) const {
  return std::any_of(parts_.begin(), parts_.end(),
                     [keyword](const Json* part) { return part->contains(keyword); });
}

// Whether a value of an enum satisfies the other keywords.
bool Shape::allows(const Json& value) const {
  if ((type_of(value) & types_) == 0) return false;
  if (value.is_number()) {
    const std::string number = plain_decimal(value);
    const auto within = [&](const std::optional<Bound>& bound, int sign) {
      if (!bound) return true;
      const int order = compare_decimals(number, bound->decimal) * sign;
      return order > 0 || (order == 0 && !bound->exclusive);
    };
    return within(low(), 1) && within(high(), -1);
  }
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    const std::string inside = spelled(text, Spelling::json);
    std::int64_t length = 0;
    for (const char c : text) length += (static_cast<unsigned char>(c) & 0xC0U) != 0x80 ? 1 : 0;
    if (length < largest("minLength", 0) || length > smallest("maxLength", length)) return false;
    const std::vector<Dfa> all = patterns();
    return std::all_of(all.begin(), all.end(), [&](const Dfa& pattern) { return pattern.accepts(inside); });
  }
  if (!value.is_structured()) return true;
  for (const char* keyword : {"properties", "required", "additionalProperties", "patternProperties", "items",
                              "prefixItems", "minItems", "maxItems"}) {
    if (has(keyword))
      throw Refusal(fmt::format(
          "the schema keyword '{}' beside an enum or const of lists or objects is not supported", keyword));
  }
  return true;
}

std::optional<Bound> Shape::bound(const char* inclusive, const char* exclusive, int sign) const {
  std::optional<Bound> tightest;
  for (const Json* part : parts_) {
    for (const char* keyword : {inclusive, exclusive}) {
      if (!part->contains(keyword)) continue;
      const Json& value = (*part)[keyword];
      if (!value.is_number())
        throw Refusal(fmt::format("the schema's {} is {}, not a number", keyword, util::to_json(value)));
      Bound bound{plain_decimal(value), keyword == exclusive};
      const int order = tightest ? compare_decimals(bound.decimal, tightest->decimal) * sign : 1;
      if (order > 0 || (order == 0 && bound.exclusive)) tightest = std::move(bound);
    }
  }
  return tightest;
}

std::optional<Bound> Shape::low() const {
  return bound("minimum", "exclusiveMinimum", 1);
}

std::optional<Bound> Shape::high() const {
  return bound("maximum", "exclusiveMaximum", -1);
}

std::int64_t Shape::largest(const char* keyword, std::int64_t otherwise) const {
  for (const Json* part : parts_) {
    if (part->contains(keyword)) otherwise = std::max(otherwise, count(*part, keyword));
  }
  return otherwise;
}

std::int64_t Shape::smallest(const char* keyword, std::int64_t otherwise) const {
  for (const Json* part : parts_) {
    if (!part->contains(keyword)) continue;
    const std::int64_t here = count(*part, keyword);
    otherwise = otherwise < 0 ? here : std::min(otherwise, here);
  }
  return otherwise;
}

std::vector<Dfa> Shape::patterns() const {
  std::vector<Dfa> all;
  for (const Json* part : parts_) {
    if (part->contains("pattern")) {
      if (!(*part)["pattern"].is_string()) throw Refusal("the schema's pattern is no text");
      try {
        all.push_back(
            compile_regex((*part)["pattern"].get_ref<const std::string&>(), Spelling::json, true, {}, work_));
      } catch (const Refusal& refusal) {
        throw Refusal(fmt::format("the schema's pattern: {}", refusal.what()));
      }
    }
    if (part->contains("format") && (types_ & kString) != 0) {
      const Json& format = (*part)["format"];
      const std::optional<std::string> pattern =
          format.is_string() ? format_pattern(format.get<std::string>()) : std::nullopt;
      if (!pattern)
        throw Refusal(fmt::format("the schema's format {} is not supported", util::to_json(format)));
      all.push_back(compile_regex(*pattern, Spelling::json, false, {}, work_));
    }
  }
  return all;
}

bool Shape::excludes(const Shape& other) const {
  work_->spend(kValueSteps);
  const auto common = static_cast<std::uint8_t>(types_ & other.types_);
  if (common == 0) return true;
  if (values_ && other.values_) return intersection(*values_, *other.values_, *work_).empty();
  if (common != kObject) return false;
  const auto fixed = [](const Shape& shape, const std::string& name) {
    std::optional<std::vector<Json>> values;
    bool required = false;
    for (const Json* part : shape.parts_) {
      if (part->contains("required") && (*part)["required"].is_array()) {
        shape.work_->spend((*part)["required"].size());
        for (const Json& one : (*part)["required"]) required = required || one == Json(name);
      }
      if (!part->contains("properties") || !(*part)["properties"].contains(name)) continue;
      const Json& member = (*part)["properties"][name];
      if (member.is_object() && !member.contains("$ref")) values = Shape({&member}, shape.work_).values();
    }
    return required ? values : std::nullopt;
  };
  for (const Json* part : parts_) {
    if (!part->contains("properties") || !(*part)["properties"].is_object()) continue;
    for (const auto& entry : (*part)["properties"].items()) {
      work_->spend(kShapeSteps);
      const auto mine = fixed(*this, entry.key()), theirs = fixed(other, entry.key());
      if (mine && theirs && intersection(*mine, *theirs, *work_).empty()) return true;
    }
  }
  return false;
}

std::vector<Shape> Shapes::of(const Schemas& schemas) const {
  std::vector<Schemas> alternatives;
  expand(schemas, {}, alternatives);
  std::vector<Shape> shapes;
  for (Schemas& alternative : alternatives) shapes.emplace_back(std::move(alternative), work_);
  return shapes;
}

void Shapes::expand(Schemas pending, Schemas done, std::vector<Schemas>& out) const {
  while (!pending.empty()) {
    const Json& schema = *pending.back();
    pending.pop_back();
    if (schema == Json(true)) continue;
    if (schema == Json(false)) return;
    if (!schema.is_object())
      throw Refusal(fmt::format("a schema is {}, not an object", util::to_json(schema).substr(0, 60)));
    if (std::find(done.begin(), done.end(), &schema) != done.end()) continue;
    work_->spend(kShapeSteps + pending.size() + done.size());
    check_keywords(schema);
    done.push_back(&schema);
    if (schema.contains("$ref")) {
      if (!schema["$ref"].is_string()) throw Refusal("the schema's $ref is no text");
      pending.push_back(&resolve(schema["$ref"].get<std::string>()));
    }
    if (schema.contains("allOf")) {
      if (!schema["allOf"].is_array()) throw Refusal("the schema's allOf is no list");
      // In order: members of objects follow it.
      for (auto part = schema["allOf"].rbegin(); part != schema["allOf"].rend(); ++part)
        pending.push_back(&*part);
    }
    for (const char* keyword : {"anyOf", "oneOf"}) {
      if (!schema.contains(keyword)) continue;
      const Json& branches = schema[keyword];
      if (!branches.is_array()) throw Refusal(fmt::format("the schema's {} is no list", keyword));
      if (std::string_view(keyword) == "oneOf") check_disjoint(branches);
      if (std::string_view(keyword) == "anyOf" && schema.contains("oneOf")) {
        check_disjoint(schema["oneOf"]);
        for (const Json& any : branches) {
          for (const Json& one : schema["oneOf"]) {
            Schemas next = pending;
            next.push_back(&one);
            next.push_back(&any);
            expand(std::move(next), done, out);
          }
        }
        return;
      }
      for (const Json& branch : branches) {
        Schemas next = pending;
        next.push_back(&branch);
        expand(std::move(next), done, out);
      }
      return;
    }
  }
  if (out.size() >= kMostAlternatives)
    throw Refusal(fmt::format("the schema has more than {} combinations of alternatives", kMostAlternatives));
  out.push_back(std::move(done));
}

// oneOf is enforced where its branches cannot hold together: then it is anyOf.
void Shapes::check_disjoint(const Json& branches) const {
  if (!branches.is_array()) throw Refusal("the schema's oneOf is no list");
  std::vector<std::vector<Shape>> shapes;
  for (const Json& branch : branches) shapes.push_back(of({&branch}));
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    for (std::size_t j = i + 1; j < shapes.size(); ++j) {
      for (const Shape& a : shapes[i]) {
        for (const Shape& b : shapes[j]) {
          if (!a.excludes(b))
            throw Refusal(
                "the schema keyword 'oneOf' is supported only where its branches exclude one another (by "
                "type or a "
                "required member with a const)");
        }
      }
    }
  }
}

const Json& Shapes::resolve(const std::string& reference) const {
  const auto unknown = [&]() -> Refusal {
    return Refusal(fmt::format("the schema's $ref '{}' leads nowhere in this schema", reference));
  };
  if (!reference.starts_with('#')) throw unknown();
  if (reference == "#") return root_;
  if (reference[1] != '/') {
    const Json* found = find_anchor(root_, reference.substr(1), *work_);
    if (found == nullptr) throw unknown();
    return *found;
  }
  const Json* at = &root_;
  std::string_view rest = std::string_view(reference).substr(2);
  for (bool last = false; !last;) {
    const std::size_t end = rest.find('/');
    last = end == std::string_view::npos;
    const std::string token = unescaped(rest.substr(0, end));
    if (!last) rest.remove_prefix(end + 1);
    if (at->is_object() && at->contains(token)) {
      at = &(*at)[token];
    } else if (at->is_array() && !token.empty() && token.size() < 7 &&
               token.find_first_not_of("0123456789") == std::string::npos &&
               static_cast<std::size_t>(std::stoi(token)) < at->size()) {
      at = &(*at)[static_cast<std::size_t>(std::stoi(token))];
    } else {
      throw unknown();
    }
  }
  return *at;
}

}  // namespace pensieve::engine::constraint
