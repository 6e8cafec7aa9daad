// What all readers of calls share: markers in growing text, and calls written as JSON objects.
#include "model/chat/reply/call_reader.h"

#include <algorithm>

#include "model/chat/reply/piece_writer.h"

namespace pensieve::model::reply {
namespace {

using util::Json;

std::optional<std::string> arguments_of(const Json& value) {
  if (value.is_null()) return "{}";
  if (value.is_object()) return util::to_json(value);
  if (value.is_string()) return arguments_from_text(value.get_ref<const std::string&>());
  return std::nullopt;
}

const Json* member(const Json& object, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = object.find(key);
    if (found != object.end()) return &*found;
  }
  return nullptr;
}

}  // namespace

CallReader::Match CallReader::match(std::string_view text, std::string_view literal, bool at_end) {
  const std::string_view rest = text.substr(at_, literal.size());
  if (rest == literal) {
    at_ += literal.size();
    return Match::yes;
  }
  return !at_end && literal.substr(0, rest.size()) == rest ? Match::unknown : Match::no;
}

CallReader::Match CallReader::match_any(std::string_view text, const std::vector<std::string>& literals,
                                        bool at_end) const {
  Match best = Match::no;
  for (const std::string& literal : literals) {
    const std::string_view rest = text.substr(at_, literal.size());
    if (rest == literal) return Match::yes;
    if (!at_end && literal.compare(0, rest.size(), rest) == 0) best = Match::unknown;
  }
  return best;
}

void CallReader::skip_space(std::string_view text) {
  while (at_ < text.size() && is_space(text[at_])) ++at_;
}

bool is_call_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-.:/").find(c) != std::string_view::npos;
  });
}

std::optional<std::string> arguments_from_text(std::string_view text) {
  text = without_trailing_space(without_leading_space(text));
  if (text.empty()) return "{}";
  const Result<Json> value = util::parse_json(text);
  if (!value || !value->is_object()) return std::nullopt;
  return std::string(text);
}

std::optional<ParsedCall> call_from_object(std::string_view object,
                                           const std::vector<JsonScanner::Member>& members) {
  const Result<Json> parsed = util::parse_json(object);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const Json* function = member(*parsed, {"function"});
  const Json& call = function != nullptr && function->is_object() ? *function : *parsed;
  const Json* name = member(call, {"name", "tool_name"});
  if (name == nullptr || !name->is_string() || name->get_ref<const std::string&>().empty())
    return std::nullopt;
  ParsedCall result{*name, "{}"};
  const Json* arguments = member(call, {"arguments", "parameters"});
  if (arguments == nullptr) return result;
  std::optional<std::string> text = arguments_of(*arguments);
  if (!text) return std::nullopt;
  result.arguments = std::move(*text);
  if (&call != &*parsed || !arguments->is_object()) return result;
  const std::string_view wanted = parsed->contains("arguments") ? "\"arguments\"" : "\"parameters\"";
  for (const JsonScanner::Member& one : members) {
    if (object.substr(one.key_begin, one.key_end - one.key_begin) == wanted)
      result.arguments = object.substr(one.value_begin, one.value_end - one.value_begin);
  }
  return result;
}

}  // namespace pensieve::model::reply
