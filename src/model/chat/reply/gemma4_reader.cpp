// Finds the closing brace outside of strings, then parses once.
#include "model/chat/reply/gemma4_reader.h"

#include "model/chat/reply/piece_writer.h"
#include "util/unicode.h"

namespace pensieve::model::reply {
namespace {

using util::Json;

constexpr std::string_view kOpen = "<|tool_call>", kClose = "<tool_call|>", kQuote = "<|\"|>";

class Values {
 public:
  explicit Values(std::string_view text) : text_(text) {}

  std::optional<Json> object(int depth) {
    if (!take("{")) return std::nullopt;
    Json all = Json::object();
    space();
    while (!take("}")) {
      std::optional<std::string> key = this->key();
      if (!key || !take(":")) return std::nullopt;
      std::optional<Json> one = value(depth + 1);
      if (!one) return std::nullopt;
      all[*key] = std::move(*one);
      space();
      if (!take(",") && !text_.starts_with('}')) return std::nullopt;
      space();
    }
    return all;
  }
  bool ended() const { return text_.empty(); }

 private:
  void space() { text_ = without_leading_space(text_); }
  bool take(std::string_view literal) {
    if (!text_.starts_with(literal)) return false;
    text_.remove_prefix(literal.size());
    return true;
  }

  std::optional<std::string> key() {
    if (text_.starts_with(kQuote)) return string();
    const std::size_t end = text_.find_first_of(":,{}[]");
    if (end == std::string_view::npos || text_[end] != ':') return std::nullopt;
    const std::string_view name = without_trailing_space(text_.substr(0, end));
    text_.remove_prefix(end);
    if (name.empty()) return std::nullopt;
    return util::valid_utf8(name) ? std::string(name) : util::repair_utf8(name);
  }

  std::optional<std::string> string() {
    text_.remove_prefix(kQuote.size());
    const std::size_t end = text_.find(kQuote);
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view value = text_.substr(0, end);
    text_.remove_prefix(end + kQuote.size());
    return util::valid_utf8(value) ? std::string(value) : util::repair_utf8(value);
  }

  std::optional<Json> value(int depth) {
    constexpr int kDeepest = 32;
    space();
    if (depth > kDeepest) return std::nullopt;
    if (text_.starts_with(kQuote)) {
      std::optional<std::string> text = string();
      if (!text) return std::nullopt;
      return Json(std::move(*text));
    }
    if (text_.starts_with('{')) return object(depth);
    if (take("[")) return list(depth);
    const std::string_view word = without_trailing_space(text_.substr(0, text_.find_first_of(",}]")));
    Result<Json> parsed = util::parse_json(word);
    if (!parsed) return std::nullopt;
    text_.remove_prefix(word.size());
    return std::move(*parsed);
  }

  std::optional<Json> list(int depth) {
    Json all = Json::array();
    space();
    while (!take("]")) {
      std::optional<Json> one = value(depth + 1);
      if (!one) return std::nullopt;
      all.push_back(std::move(*one));
      space();
      if (!take(",") && !text_.starts_with(']')) return std::nullopt;
    }
    return all;
  }

  std::string_view text_;
};

class Gemma4Reader final : public CallReader {
 public:
  explicit Gemma4Reader(CallContext context) : CallReader(std::move(context)) { at_ = kOpen.size(); }

  Outcome read(std::string_view text, bool at_end) override {
    if (begin_ == 0) {
      if (const Outcome outcome = read_head(text, at_end); outcome != Outcome::done) return outcome;
    }
    if (!whole_) {
      if (!find_end(text)) return incomplete(at_end);
      whole_ = true;
      at_ = scanned_;
      Values values(text.substr(begin_, scanned_ - begin_));
      const std::optional<Json> arguments = values.object(0);
      if (!arguments || !values.ended()) return Outcome::malformed;
      commit({name_, util::to_json(*arguments)});
    }
    const std::size_t end = at_;
    skip_space(text);
    const Match closed = match(text, kClose, at_end);
    if (closed != Match::yes) at_ = end;
    return closed == Match::unknown ? Outcome::more : Outcome::done;
  }

 private:
  Outcome read_head(std::string_view text, bool at_end) {
    at_ = kOpen.size();
    skip_space(text);
    const Match word = match(text, "call:", at_end);
    if (word != Match::yes)
      return word == Match::unknown || at_ == text.size() ? incomplete(at_end) : Outcome::malformed;
    const std::string_view rest = text.substr(at_);
    const std::size_t brace = rest.find('{');
    const std::string_view name = without_trailing_space(rest.substr(0, brace));
    if (brace == std::string_view::npos)
      return name.empty() || is_call_name(name) ? incomplete(at_end) : Outcome::malformed;
    if (!is_call_name(name)) return Outcome::malformed;
    name_ = name;
    begin_ = scanned_ = at_ + brace;
    return Outcome::done;
  }

  bool find_end(std::string_view text) {
    while (scanned_ < text.size()) {
      const std::string_view rest = text.substr(scanned_);
      if (rest.front() == '<') {
        if (rest.size() < kQuote.size() && kQuote.starts_with(rest)) return false;
        if (rest.starts_with(kQuote)) {
          in_string_ = !in_string_;
          scanned_ += kQuote.size();
          continue;
        }
      }
      ++scanned_;
      if (in_string_) continue;
      if (rest.front() == '{') ++depth_;
      if (rest.front() == '}' && --depth_ == 0) return true;
    }
    return false;
  }

  std::string name_;
  std::size_t begin_ = 0, scanned_ = 0;
  int depth_ = 0;
  bool in_string_ = false, whole_ = false;
};

}  // namespace

CallReaderFactory gemma4_calls() {
  return [](const CallContext& context) -> std::unique_ptr<CallReader> {
    return std::make_unique<Gemma4Reader>(context);
  };
}

}  // namespace pensieve::model::reply
