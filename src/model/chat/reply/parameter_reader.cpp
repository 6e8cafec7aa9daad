// A step machine over tags; values are searched for their closing tag, each byte once.
#include "model/chat/reply/parameter_reader.h"

#include <algorithm>

#include "model/chat/reply/piece_writer.h"
#include "util/unicode.h"

namespace pensieve::model::reply {
namespace {

class ParameterReader final : public CallReader {
 public:
  ParameterReader(CallContext context, ParameterSyntax syntax)
      : CallReader(std::move(context)), syntax_(std::move(syntax)) {}

  Outcome read(std::string_view text, bool at_end) override {
    for (;;) {
      Outcome outcome = Outcome::done;
      switch (step_) {
        case Step::section:
          in_section_ =
              !syntax_.section_open.empty() && match(text, syntax_.section_open, at_end) == Match::yes;
          step_ = Step::call;
          break;
        case Step::call:
          outcome = read_call(text, at_end);
          break;
        case Step::name:
          outcome = read_name(text, at_end);
          break;
        case Step::parameter:
          outcome = read_parameter(text, at_end);
          break;
        case Step::key:
          outcome = read_key(text, at_end);
          break;
        case Step::value_open:
          outcome = read_value_open(text, at_end);
          break;
        case Step::value:
          outcome = read_value(text, at_end);
          break;
        case Step::finished:
          return Outcome::done;
      }
      if (outcome != Outcome::done) return outcome;
    }
  }

 private:
  enum class Step : std::uint8_t { section, call, name, parameter, key, value_open, value, finished };

  Outcome read_call(std::string_view text, bool at_end) {
    const std::size_t begin = at_;
    skip_space(text);
    if (committed_ > 0 && in_section_) {
      const Match closed = match(text, syntax_.section_close, at_end);
      if (closed == Match::unknown || (at_ == text.size() && closed == Match::no && !at_end))
        return wait(begin, at_end);
      if (closed == Match::yes || !syntax_.several) {
        if (closed == Match::no) at_ = begin;
        step_ = Step::finished;
        return Outcome::done;
      }
    }
    if (committed_ > 0 && !in_section_) return finished(begin);
    const Match opened = match(text, syntax_.call_open, at_end);
    if (opened == Match::unknown) return wait(begin, at_end);
    if (opened == Match::no) {
      const bool ended = at_ == text.size();
      at_ = begin;
      if (committed_ > 0) return finished(begin);
      return ended ? incomplete(at_end) : Outcome::malformed;
    }
    if (committed_ > 0) committed_ = at_ - syntax_.call_open.size();
    begin_ = at_;
    arguments_ = util::Json::object();
    step_ = Step::name;
    return Outcome::done;
  }

  Outcome finished(std::size_t end) {
    at_ = end;
    step_ = Step::finished;
    return Outcome::done;
  }

  Outcome wait(std::size_t begin, bool at_end) {
    at_ = begin;
    if (at_end && committed_ > 0) return finished(begin);
    return incomplete(at_end);
  }

  // From begin_ up to `end_text` (passed over). Names and keys are short and on one line.
  Outcome read_word(std::string_view text, std::string_view end_text, bool at_end, std::string_view& word) {
    constexpr std::size_t kLongest = 512;
    const std::string_view rest = text.substr(begin_, kLongest);
    std::size_t end = rest.find(end_text);
    const std::size_t line = rest.find('\n');
    if (line < end) return Outcome::malformed;
    if (end == std::string_view::npos)
      return rest.size() < kLongest ? incomplete(at_end) : Outcome::malformed;
    word = rest.substr(0, end);
    at_ = begin_ + end + end_text.size();
    return Outcome::done;
  }

  Outcome read_name(std::string_view text, bool at_end) {
    std::string_view word;
    if (syntax_.name_end.empty()) {
      const std::string_view rest = text.substr(begin_);
      const std::size_t end = rest.find_first_of("\n<");
      if (end == std::string_view::npos) {
        const std::string_view so_far = without_trailing_space(rest);
        return so_far.empty() || is_call_name(so_far) ? incomplete(at_end) : Outcome::malformed;
      }
      word = without_trailing_space(rest.substr(0, end));
      at_ = begin_ + end;
    } else if (const Outcome outcome = read_word(text, syntax_.name_end, at_end, word);
               outcome != Outcome::done) {
      return outcome;
    }
    if (!is_call_name(word)) return Outcome::malformed;
    name_ = word;
    step_ = Step::parameter;
    return Outcome::done;
  }

  Outcome read_parameter(std::string_view text, bool at_end) {
    const std::size_t begin = at_;
    skip_space(text);
    const Match closed = match(text, syntax_.call_close, at_end);
    if (closed == Match::yes) {
      commit({name_, util::to_json(arguments_)});
      step_ = Step::call;
      if (syntax_.section_open.empty()) step_ = Step::finished;
      return Outcome::done;
    }
    const Match opened = match(text, syntax_.key_open, at_end);
    if (opened == Match::yes) {
      begin_ = at_;
      step_ = Step::key;
      return Outcome::done;
    }
    const bool open_ended = closed == Match::unknown || opened == Match::unknown || at_ == text.size();
    at_ = begin;
    return open_ended ? incomplete(at_end) : Outcome::malformed;
  }

  Outcome read_key(std::string_view text, bool at_end) {
    std::string_view word;
    if (const Outcome outcome = read_word(text, syntax_.key_end, at_end, word); outcome != Outcome::done)
      return outcome;
    if (word.empty() || word.find('<') != std::string_view::npos) return Outcome::malformed;
    key_ = util::valid_utf8(word) ? std::string(word) : util::repair_utf8(word);
    step_ = syntax_.value_open.empty() ? Step::value : Step::value_open;
    begin_ = searched_ = at_;
    return Outcome::done;
  }

  Outcome read_value_open(std::string_view text, bool at_end) {
    const std::size_t begin = at_;
    skip_space(text);
    const Match opened = match(text, syntax_.value_open, at_end);
    if (opened != Match::yes) {
      const bool ended = opened == Match::unknown || at_ == text.size();
      at_ = begin;
      return ended ? incomplete(at_end) : Outcome::malformed;
    }
    begin_ = searched_ = at_;
    step_ = Step::value;
    return Outcome::done;
  }

  Outcome read_value(std::string_view text, bool at_end) {
    const std::size_t end = text.find(syntax_.value_end, searched_);
    if (end == std::string_view::npos) {
      const std::size_t overlap = syntax_.value_end.size() - 1;
      searched_ = std::max(begin_, text.size() > overlap ? text.size() - overlap : 0);
      return incomplete(at_end);
    }
    std::string_view value = text.substr(begin_, end - begin_);
    if (syntax_.one_newline) {
      if (value.starts_with('\n')) value.remove_prefix(1);
      if (value.ends_with('\n')) value.remove_suffix(1);
    }
    arguments_[key_] = context_.tools->parameter_value(name_, key_, value);
    at_ = end + syntax_.value_end.size();
    step_ = Step::parameter;
    return Outcome::done;
  }

  ParameterSyntax syntax_;
  Step step_ = Step::section;
  bool in_section_ = false;
  std::size_t begin_ = 0, searched_ = 0;
  std::string name_, key_;
  util::Json arguments_;
};

}  // namespace

CallReaderFactory parameter_calls(ParameterSyntax syntax) {
  return [syntax = std::move(syntax)](const CallContext& context) -> std::unique_ptr<CallReader> {
    return std::make_unique<ParameterReader>(context, syntax);
  };
}

}  // namespace pensieve::model::reply
