// Readers that find where Python calls end and then parse them once.
#include "model/chat/reply/python_calls.h"

#include <algorithm>
#include <array>

#include "model/chat/reply/piece_writer.h"
#include "model/chat/reply/whole_json_reader.h"

namespace pensieve::model::reply {
namespace {

// Brackets and quotes, so that the end of a list is found in growing text.
class ListEnd {
 public:
  // Whether the bracket that opens at the first byte is closed; position() is then behind it.
  bool scan(std::string_view text) {
    for (; at_ < text.size() && !done_; ++at_) {
      const char c = text[at_];
      if (quote_ != 0) {
        if (escaped_) {
          escaped_ = false;
        } else if (c == '\\') {
          escaped_ = true;
        } else if (c == quote_) {
          quote_ = 0;
        }
      } else if (c == '"' || c == '\'') {
        quote_ = c;
      } else if (c == '[' || c == '(' || c == '{') {
        ++depth_;
      } else if (c == ']' || c == ')' || c == '}') {
        done_ = --depth_ == 0;
      }
    }
    return done_;
  }
  std::size_t position() const { return at_; }

 private:
  std::size_t at_ = 0;
  int depth_ = 0;
  char quote_ = 0;
  bool escaped_ = false, done_ = false;
};

class PythonListReader final : public CallReader {
 public:
  PythonListReader(CallContext context, std::string open, std::string close)
      : CallReader(std::move(context)), close_(std::move(close)) {
    at_ = open.size();
  }

  Outcome read(std::string_view text, bool at_end) override {
    if (!closed_) {
      if (begin_ == 0) {
        skip_space(text);
        if (at_ == text.size()) return incomplete(at_end);
        if (text[at_] != '[') return Outcome::malformed;
        begin_ = at_;
      }
      if (!end_.scan(text.substr(begin_))) return incomplete(at_end);
      closed_ = true;
      at_ = begin_ + end_.position();
      const std::string_view inside = text.substr(begin_ + 1, end_.position() - 2);
      std::optional<std::vector<ParsedCall>> calls = python_calls(inside);
      if (!calls) return Outcome::malformed;
      for (ParsedCall& call : *calls) commit(std::move(call));
    }
    const std::size_t end = at_;
    skip_space(text);
    const Match closed = match(text, close_, at_end);
    if (closed != Match::yes) at_ = end;
    return closed == Match::unknown ? Outcome::more : Outcome::done;
  }

 private:
  std::string close_;
  ListEnd end_;
  std::size_t begin_ = 0;
  bool closed_ = false;
};

class PythonBlockReader final : public CallReader {
 public:
  PythonBlockReader(CallContext context, std::string open, std::string close)
      : CallReader(std::move(context)),
        close_(std::move(close)),
        begin_(open.size()),
        searched_(open.size()) {}

  Outcome read(std::string_view text, bool at_end) override {
    const std::size_t end = text.find(close_, searched_);
    if (end == std::string_view::npos) {
      if (!at_end) {
        searched_ = std::max(begin_, text.size() - std::min(text.size(), close_.size()));
        return Outcome::more;
      }
      return parse(text.substr(begin_), text.size()) ? Outcome::done : Outcome::cut_off;
    }
    return parse(text.substr(begin_, end - begin_), end + close_.size()) ? Outcome::done : Outcome::malformed;
  }

 private:
  bool parse(std::string_view lines, std::size_t end) {
    std::optional<std::vector<ParsedCall>> calls = python_calls(lines);
    if (!calls || !std::all_of(calls->begin(), calls->end(),
                               [&](const ParsedCall& call) { return context_.tools->has(call.name); }))
      return false;
    at_ = end;
    for (ParsedCall& call : *calls) commit(std::move(call));
    return true;
  }

  std::string close_;
  std::size_t begin_, searched_;
};

class PythonTagReader final : public CallReader {
 public:
  PythonTagReader(CallContext context, std::string open)
      : CallReader(std::move(context)), begin_(open.size()) {}

  Outcome read(std::string_view text, bool at_end) override {
    if (!at_end) return Outcome::more;
    std::string_view body = text.substr(begin_);
    for (bool changed = true; changed;) {
      changed = false;
      body = without_trailing_space(body);
      for (const std::string& marker : *context_.followers) {
        if (!body.ends_with(marker)) continue;
        body.remove_suffix(marker.size());
        changed = true;
      }
    }
    body = without_leading_space(body);
    at_ = text.size();
    if (json_calls(body) || builtin_call(body) || code(body)) return Outcome::done;
    return Outcome::cut_off;
  }

 private:
  bool json_calls(std::string_view body) {
    std::optional<std::vector<ParsedCall>> calls = calls_from_json(body, true);
    if (!calls) return false;
    for (ParsedCall& call : *calls) commit(std::move(call));
    return true;
  }

  bool builtin_call(std::string_view body) {
    constexpr std::string_view kSuffix = ".call";
    std::size_t at = 0;
    std::optional<ParsedCall> call = python_call(body, at);
    if (!call || !without_leading_space(body.substr(at)).empty()) return false;
    if (call->name.ends_with(kSuffix)) call->name.resize(call->name.size() - kSuffix.size());
    if (!context_.tools->has(call->name)) return false;
    commit(std::move(*call));
    return true;
  }

  bool code(std::string_view body) {
    constexpr std::array<std::string_view, 3> kRunners{"python", "ipython", "code_interpreter"};
    for (const std::string_view name : kRunners) {
      if (body.empty() || !context_.tools->has(name)) continue;
      commit({std::string(name), util::to_json(util::Json{{"code", std::string(body)}})});
      return true;
    }
    return false;
  }

  std::size_t begin_;
};

}  // namespace

CallReaderFactory python_list(std::string open, std::string close) {
  return [open = std::move(open),
          close = std::move(close)](const CallContext& context) -> std::unique_ptr<CallReader> {
    return std::make_unique<PythonListReader>(context, open, close);
  };
}

CallReaderFactory python_block(std::string open, std::string close) {
  return [open = std::move(open),
          close = std::move(close)](const CallContext& context) -> std::unique_ptr<CallReader> {
    return std::make_unique<PythonBlockReader>(context, open, close);
  };
}

CallReaderFactory python_tag(std::string open) {
  return [open = std::move(open)](const CallContext& context) -> std::unique_ptr<CallReader> {
    return std::make_unique<PythonTagReader>(context, open);
  };
}

}  // namespace pensieve::model::reply
