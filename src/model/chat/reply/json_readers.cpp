// Step machines: each step either passes over its part of the text, waits for more of it, or refuses.
#include "model/chat/reply/json_readers.h"

#include <algorithm>

#include "model/chat/reply/piece_writer.h"

namespace pensieve::model::reply {
namespace {

class TaggedJsonReader final : public CallReader {
 public:
  TaggedJsonReader(CallContext context, TaggedJson syntax)
      : CallReader(std::move(context)), syntax_(std::move(syntax)) {
    at_ = syntax_.open.size();
  }

  Outcome read(std::string_view text, bool at_end) override {
    for (;;) {
      if (step_ == Step::object) {
        if (const Outcome outcome = read_object(text, at_end); outcome != Outcome::done) return outcome;
        continue;
      }
      if (step_ == Step::close) return read_close(text, at_end);
      skip_space(text);
      if (at_ == text.size())
        return at_end && in_list_ && committed_ > 0 ? Outcome::done : incomplete(at_end);
      const char c = text[at_];
      if (c == '{' && (step_ != Step::separator)) {
        object_begin_ = at_;
        scanner_ = {};
        step_ = Step::object;
      } else if (c == '[' && step_ == Step::value && !in_list_) {
        in_list_ = true;
        ++at_;
      } else if (c == ']' && step_ == Step::separator) {
        ++at_;
        committed_ = at_;
        step_ = Step::close;
      } else if (c == ',' && step_ == Step::separator) {
        ++at_;
        committed_ = at_;
        step_ = Step::value;
      } else {
        return Outcome::malformed;
      }
    }
  }

 private:
  enum class Step : std::uint8_t { value, object, separator, close };

  Outcome read_object(std::string_view text, bool at_end) {
    const std::string_view rest = text.substr(object_begin_);
    const JsonScanner::Outcome scanned = scanner_.scan(rest);
    if (scanned == JsonScanner::Outcome::invalid) return Outcome::malformed;
    if (scanned == JsonScanner::Outcome::more) return incomplete(at_end);
    call_ = call_from_object(rest.substr(0, scanner_.position()), scanner_.members());
    if (!call_) return Outcome::malformed;
    at_ = object_begin_ + scanner_.position();
    step_ = in_list_ ? Step::separator : Step::close;
    if (in_list_) commit(std::move(*call_));
    return Outcome::done;
  }

  // A single object counts only when nothing but its closing marker, another marker or the end follows.
  Outcome read_close(std::string_view text, bool at_end) {
    const std::size_t end = at_;
    skip_space(text);
    const Match closed = syntax_.close.empty() ? Match::no : match(text, syntax_.close, at_end);
    if (closed == Match::unknown || (closed == Match::no && at_ == text.size() && !at_end)) {
      at_ = end;
      if (!syntax_.close.empty() || !in_list_) return Outcome::more;
    }
    if (closed != Match::yes) {
      if (!in_list_ && at_ < text.size()) {
        const Match follows = match_any(text, *context_.followers, at_end);
        at_ = end;
        if (follows == Match::unknown) return Outcome::more;
        if (follows == Match::no) return Outcome::malformed;
      }
      at_ = end;
    }
    if (!in_list_) commit(std::move(*call_));
    return Outcome::done;
  }

  TaggedJson syntax_;
  Step step_ = Step::value;
  bool in_list_ = false;
  std::size_t object_begin_ = 0;
  JsonScanner scanner_;
  std::optional<ParsedCall> call_;
};

class NamedJsonReader final : public CallReader {
 public:
  NamedJsonReader(CallContext context, NamedJson syntax)
      : CallReader(std::move(context)), syntax_(std::move(syntax)) {}

  Outcome read(std::string_view text, bool at_end) override {
    for (;;) {
      Outcome outcome = Outcome::done;
      switch (step_) {
        case Step::section:
          outcome = read_section(text, at_end);
          break;
        case Step::open:
          outcome = read_open(text, at_end);
          break;
        case Step::name:
          outcome = read_name(text, at_end);
          break;
        case Step::fence:
          outcome = read_fence(text, at_end);
          break;
        case Step::value:
          outcome = read_value(text, at_end);
          break;
        case Step::close:
          outcome = read_closes(text, at_end);
          break;
        case Step::finished:
          return Outcome::done;
      }
      if (outcome != Outcome::done) return outcome;
    }
  }

 private:
  enum class Step : std::uint8_t { section, open, name, fence, value, close, finished };

  Outcome read_section(std::string_view text, bool at_end) {
    step_ = Step::open;
    in_section_ = !syntax_.section_open.empty() && match(text, syntax_.section_open, at_end) == Match::yes;
    return Outcome::done;
  }

  // After a whole call anything may follow: what is no further call ends the stretch.
  Outcome read_open(std::string_view text, bool at_end) {
    const std::size_t begin = at_;
    if (in_section_ || committed_ > 0) skip_space(text);
    if (committed_ > 0 && in_section_ && !syntax_.section_close.empty()) {
      const Match closed = match(text, syntax_.section_close, at_end);
      if (closed == Match::yes) {
        committed_ = at_;
        step_ = Step::finished;
        return Outcome::done;
      }
      if (closed == Match::unknown) return wait(begin, at_end);
    }
    const Match opened = match(text, syntax_.open, at_end);
    if (opened == Match::unknown) return wait(begin, at_end);
    if (opened == Match::yes) {
      if (committed_ > 0) committed_ = at_ - syntax_.open.size();
      step_ = Step::name;
      name_begin_ = at_;
      return Outcome::done;
    }
    const bool ended = at_ == text.size();
    at_ = begin;
    if (committed_ == 0) return ended ? incomplete(at_end) : Outcome::malformed;
    step_ = Step::finished;
    return Outcome::done;
  }

  Outcome wait(std::size_t begin, bool at_end) {
    at_ = begin;
    return incomplete(at_end);
  }

  Outcome read_name(std::string_view text, bool at_end) {
    constexpr std::size_t kLongestName = 512;
    const std::string_view rest = text.substr(name_begin_, kLongestName);
    const std::size_t end = rest.find(syntax_.after_name);
    if (end == std::string_view::npos) {
      if (rest.size() == kLongestName || !may_be_name(rest)) return Outcome::malformed;
      return incomplete(at_end);
    }
    std::string_view name = rest.substr(0, end);
    if (!syntax_.id_open.empty()) name = name.substr(0, name.find(syntax_.id_open));
    name = without_trailing_space(without_leading_space(name));
    if (!syntax_.name_prefix.empty() && name.starts_with(syntax_.name_prefix))
      name.remove_prefix(syntax_.name_prefix.size());
    if (syntax_.numbered) name = name.substr(0, name.rfind(':'));
    if (!is_call_name(name)) return Outcome::malformed;
    call_.name = name;
    at_ = name_begin_ + end + syntax_.after_name.size();
    step_ = syntax_.fence.empty() ? Step::value : Step::fence;
    scanner_ = {};
    value_begin_ = std::string_view::npos;
    return Outcome::done;
  }

  // Whether a name may still end properly: prose after a marker need not be held.
  bool may_be_name(std::string_view rest) const {
    const std::size_t stop = std::min(rest.find_first_of("{}\"`\n"), rest.size());
    return stop == rest.size() || syntax_.after_name.find(rest[stop]) != std::string::npos ||
           (rest[stop] == '\n' && without_leading_space(rest.substr(0, stop)).empty());
  }

  Outcome read_fence(std::string_view text, bool at_end) {
    skip_space(text);
    const Match fenced = match(text, syntax_.fence, at_end);
    if (fenced == Match::unknown) return incomplete(at_end);
    fenced_ = fenced == Match::yes;
    step_ = Step::value;
    return Outcome::done;
  }

  Outcome read_value(std::string_view text, bool at_end) {
    if (value_begin_ == std::string_view::npos) {
      skip_space(text);
      if (at_ == text.size()) return incomplete(at_end);
      value_begin_ = at_;
      if (text[at_] != '{') return read_empty(text, at_end);
    }
    const std::string_view rest = text.substr(value_begin_);
    if (rest.front() != '{') return read_empty(text, at_end);
    const JsonScanner::Outcome scanned = scanner_.scan(rest);
    if (scanned == JsonScanner::Outcome::invalid) return Outcome::malformed;
    if (scanned == JsonScanner::Outcome::more) return incomplete(at_end);
    std::optional<std::string> arguments = arguments_from_text(rest.substr(0, scanner_.position()));
    if (!arguments) return Outcome::malformed;
    call_.arguments = std::move(*arguments);
    at_ = value_begin_ + scanner_.position();
    step_ = Step::close;
    return Outcome::done;
  }

  // No body, or null, before the closing marker: {}.
  Outcome read_empty(std::string_view text, bool at_end) {
    at_ = value_begin_;
    if (match(text, "null", at_end) == Match::unknown) return Outcome::more;
    skip_space(text);
    if (syntax_.close.empty()) return Outcome::malformed;
    const std::size_t here = at_;
    const Match closed = match(text, syntax_.close, at_end);
    if (closed == Match::unknown) return Outcome::more;
    if (closed == Match::no) return Outcome::malformed;
    at_ = here;
    call_.arguments = "{}";
    step_ = Step::close;
    return Outcome::done;
  }

  Outcome read_closes(std::string_view text, bool at_end) {
    const std::size_t end = at_;
    if (fenced_) {
      skip_space(text);
      const Match closed = match(text, "```", at_end);
      if (closed == Match::unknown) return wait(end, at_end);
    }
    skip_space(text);
    if (!syntax_.close.empty()) {
      const Match closed = match(text, syntax_.close, at_end);
      if (closed == Match::unknown) return wait(end, at_end);
      if (closed == Match::no && at_ < text.size()) {
        const Match follows = match_any(text, *context_.followers, at_end);
        if (follows == Match::unknown) return wait(end, at_end);
        if (follows == Match::no) return Outcome::malformed;
      }
      if (closed == Match::no) at_ = end;
    } else {
      at_ = end;
    }
    commit(std::move(call_));
    step_ = in_section_ || !syntax_.section_open.empty() ? Step::open : Step::finished;
    return Outcome::done;
  }

  NamedJson syntax_;
  Step step_ = Step::section;
  bool in_section_ = false, fenced_ = false;
  std::size_t name_begin_ = 0, value_begin_ = std::string_view::npos;
  ParsedCall call_;
  JsonScanner scanner_;
};

}  // namespace

CallReaderFactory tagged_json(TaggedJson syntax) {
  return [syntax = std::move(syntax)](const CallContext& context) -> std::unique_ptr<CallReader> {
    return std::make_unique<TaggedJsonReader>(context, syntax);
  };
}

CallReaderFactory named_json(NamedJson syntax) {
  return [syntax = std::move(syntax)](const CallContext& context) -> std::unique_ptr<CallReader> {
    return std::make_unique<NamedJsonReader>(context, syntax);
  };
}

}  // namespace pensieve::model::reply
