// Whole replies as calls; an object whose first key is not one of a call's is given up at once, so that JSON
// answers are streamed.
#include "model/chat/reply/whole_json_reader.h"

#include <algorithm>
#include <array>

#include "model/chat/reply/piece_writer.h"

namespace pensieve::model::reply {
namespace {

constexpr std::string_view kFence = "```";

bool begins_no_call(std::string_view first_key) {
  constexpr std::array<std::string_view, 6> kKeys{"\"name\"", "\"arguments\"", "\"parameters\"",
                                                  "\"type\"", "\"id\"",        "\"function\""};
  return std::find(kKeys.begin(), kKeys.end(), first_key) == kKeys.end();
}

// An object or a list of objects; the members of an element are found by scanning it alone.
bool add_calls(std::string_view value, std::vector<ParsedCall>& calls) {
  if (value.starts_with('{')) {
    JsonScanner scanner;
    scanner.scan(value);
    std::optional<ParsedCall> call = call_from_object(value, scanner.members());
    if (call) calls.push_back(std::move(*call));
    return call.has_value();
  }
  std::string_view rest = value.substr(1, value.size() - 2);
  for (rest = without_leading_space(rest); rest.starts_with('{');) {
    JsonScanner scanner;
    if (scanner.scan(rest) != JsonScanner::Outcome::complete) return false;
    std::optional<ParsedCall> call = call_from_object(rest.substr(0, scanner.position()), scanner.members());
    if (!call) return false;
    calls.push_back(std::move(*call));
    rest = without_leading_space(rest.substr(scanner.position()));
    if (!rest.starts_with(',')) break;
    rest = without_leading_space(rest.substr(1));
  }
  return rest.empty() && !calls.empty();
}

class WholeJsonReader final : public CallReader {
 public:
  WholeJsonReader(CallContext context, bool semicolons)
      : CallReader(std::move(context)), semicolons_(semicolons) {}

  Outcome read(std::string_view text, bool at_end) override {
    if (!begun_) {
      if (text.starts_with('`')) {
        const Match fence = match(text, kFence, at_end);
        if (fence != Match::yes) return fence == Match::unknown ? Outcome::more : Outcome::malformed;
        const Match json = match(text, "json", at_end);
        if (json == Match::unknown) return again();
        if (at_ == text.size()) return again(at_end);
        if (!is_space(text[at_])) return Outcome::malformed;
        skip_space(text);
        if (at_ == text.size()) return again(at_end);
        fenced_ = true;
      }
      begun_ = true;
      begin_ = at_;
    }
    while (!ended_) {
      if (const Outcome outcome = read_value(text, at_end); outcome != Outcome::done) return outcome;
    }
    return read_rest(text, at_end);
  }

 private:
  Outcome again(bool at_end = false) {
    at_ = 0;
    return incomplete(at_end);
  }

  Outcome read_value(std::string_view text, bool at_end) {
    if (text[begin_] != '{' && (text[begin_] != '[' || !found_.empty())) return Outcome::malformed;
    const std::string_view rest = text.substr(begin_);
    const JsonScanner::Outcome scanned = scanner_.scan(rest);
    if (scanned == JsonScanner::Outcome::invalid) return Outcome::malformed;
    if (!scanner_.members().empty() && rest.front() == '{') {
      const JsonScanner::Member& first = scanner_.members().front();
      if (begins_no_call(rest.substr(first.key_begin, first.key_end - first.key_begin)))
        return Outcome::malformed;
    }
    if (scanned == JsonScanner::Outcome::more) return incomplete(at_end);
    if (!add_calls(rest.substr(0, scanner_.position()), found_)) return Outcome::malformed;
    for (const ParsedCall& call : found_) {
      if (!context_.tools->has(call.name)) return Outcome::malformed;
    }
    at_ = begin_ + scanner_.position();
    scanner_ = {};
    ended_ = true;
    return Outcome::done;
  }

  // Only white space, the fence's end, end-of-turn markers and, for Llama, further objects may follow.
  Outcome read_rest(std::string_view text, bool at_end) {
    for (;;) {
      skip_space(text);
      if (at_ == text.size()) break;
      if (semicolons_ && text[at_] == ';' && !fenced_) {
        const std::size_t semicolon = at_++;
        skip_space(text);
        if (at_ == text.size()) {
          at_ = at_end ? at_ : semicolon;
          break;
        }
        begin_ = at_;
        ended_ = false;
        return read(text, at_end);
      }
      if (fenced_ && !fence_closed_) {
        const Match fence = match(text, kFence, at_end);
        if (fence == Match::unknown) return Outcome::more;
        if (fence == Match::no) return Outcome::malformed;
        fence_closed_ = true;
        continue;
      }
      const Match end = match_any(text, *context_.followers, at_end);
      if (end == Match::unknown) return Outcome::more;
      if (end == Match::no) return Outcome::malformed;
      for (const std::string& marker : *context_.followers) {
        if (match(text, marker, at_end) == Match::yes) break;
      }
    }
    if (!at_end) return Outcome::more;
    for (ParsedCall& call : found_) commit(std::move(call));
    return Outcome::done;
  }

  bool semicolons_;
  bool begun_ = false, fenced_ = false, fence_closed_ = false, ended_ = false;
  std::size_t begin_ = 0;
  JsonScanner scanner_;
  std::vector<ParsedCall> found_;
};

}  // namespace

CallReaderFactory whole_json(bool semicolons) {
  return [semicolons](const CallContext& context) -> std::unique_ptr<CallReader> {
    return std::make_unique<WholeJsonReader>(context, semicolons);
  };
}

std::optional<std::vector<ParsedCall>> calls_from_json(std::string_view text, bool semicolons) {
  std::vector<ParsedCall> calls;
  std::string_view rest = without_leading_space(text);
  while (rest.starts_with('{') || rest.starts_with('[')) {
    JsonScanner scanner;
    if (scanner.scan(rest) != JsonScanner::Outcome::complete) return std::nullopt;
    if (!add_calls(rest.substr(0, scanner.position()), calls)) return std::nullopt;
    rest = without_leading_space(rest.substr(scanner.position()));
    if (rest.empty()) return calls;
    if (!semicolons || !rest.starts_with(';')) return std::nullopt;
    rest = without_leading_space(rest.substr(1));
  }
  return std::nullopt;
}

}  // namespace pensieve::model::reply
