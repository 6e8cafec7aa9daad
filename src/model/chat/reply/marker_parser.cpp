// One loop over modes; each step decides about the bytes at at_ or waits for more.
#include "model/chat/reply/marker_parser.h"

#include <algorithm>

namespace pensieve::model::reply {
namespace {

// A model (or an attacker who steers it) may open calls again and again that come to nothing; from here on it
// is text. Counted in calls, not bytes or time, so that the message does not depend on how the reply was cut.
constexpr std::size_t kMostFailedCalls = 200;

}  // namespace

MarkerParser::MarkerParser(ReplyRules rules, std::shared_ptr<const OfferedTools> tools,
                           std::optional<std::string_view> prompt_tail)
    : rules_(std::move(rules)) {
  if (tools->empty()) {
    rules_.calls.clear();
    rules_.whole = nullptr;
  }
  auto followers = std::make_shared<std::vector<std::string>>(rules_.ends);
  for (const ReplyRules::CallOpening& call : rules_.calls) followers->push_back(call.marker);
  context_ = {std::move(tools), std::move(followers)};
  whole_ = rules_.whole != nullptr;
  add_markers();
  read_tail(prompt_tail);
}

void MarkerParser::add_markers() {
  const auto add = [this](const std::string& text, Kind kind, std::size_t index) {
    if (!text.empty()) markers_.push_back({text, kind, index});
  };
  for (std::size_t i = 0; i < rules_.thinking.size(); ++i) {
    add(rules_.thinking[i].open, Kind::think_open, i);
    add(rules_.thinking[i].close, Kind::think_close, i);
  }
  for (std::size_t i = 0; i < rules_.frames.size(); ++i) {
    add(rules_.frames[i].open, Kind::frame_open, i);
    add(rules_.frames[i].close, Kind::frame_close, i);
  }
  for (std::size_t i = 0; i < rules_.ends.size(); ++i) add(rules_.ends[i], Kind::end, i);
  for (std::size_t i = 0; i < rules_.calls.size(); ++i) add(rules_.calls[i].marker, Kind::call, i);
  for (const Marker& marker : markers_)
    begins_marker_[static_cast<unsigned char>(marker.text.front())] = true;
}

void MarkerParser::read_tail(std::optional<std::string_view> prompt_tail) {
  std::vector<ReplyPiece> none;
  if (!rules_.unwritten.empty() &&
      (!prompt_tail || without_trailing_space(*prompt_tail).ends_with(rules_.unwritten))) {
    held_ = rules_.unwritten;
    unwritten_ = held_.size();
    mode_ = Mode::prefix;
    return;
  }
  if (!prompt_tail) {
    if (!rules_.thinking.empty()) mode_ = Mode::undecided;
    return;
  }
  const std::string_view tail = without_trailing_space(*prompt_tail);
  for (std::size_t i = 0; i < rules_.thinking.size(); ++i) {
    if (tail.ends_with(rules_.thinking[i].open)) {
      mode_ = Mode::thinking;
      block_ = i;
      reopen_ = true;
      reasoning_.marker(none);
      return;
    }
  }
  const bool at_marker = std::any_of(markers_.begin(), markers_.end(), [&](const Marker& marker) {
    return marker.kind != Kind::end && tail.ends_with(marker.text);
  });
  if (at_marker) content_.marker(none);
}

void MarkerParser::feed(std::string_view text, std::vector<ReplyPiece>& out) {
  held_ += text;
  run(false, out);
}

void MarkerParser::finish(std::vector<ReplyPiece>& out) {
  run(true, out);
  content_.finish(out);
  reasoning_.finish(out);
}

void MarkerParser::run(bool at_end, std::vector<ReplyPiece>& out) {
  for (bool goes_on = true; goes_on;) {
    switch (mode_) {
      case Mode::prefix:
        goes_on = read_prefix(at_end);
        break;
      case Mode::undecided:
        goes_on = decide(at_end);
        break;
      case Mode::text:
      case Mode::thinking:
        goes_on = read_text(at_end, out);
        break;
      case Mode::call:
        goes_on = read_call(at_end, out);
        break;
    }
  }
  if (unwritten_ > 0) return;
  held_.erase(0, at_);
  at_ = 0;
}

// A model that writes the prompt's opening once more means the same.
bool MarkerParser::read_prefix(bool at_end) {
  const std::string& opening = rules_.unwritten;
  const std::string_view written = std::string_view(held_).substr(opening.size());
  if (!at_end && written.size() < opening.size() && opening.starts_with(written)) return false;
  if (written.starts_with(opening)) {
    held_.erase(0, opening.size());
    unwritten_ = 0;
  }
  mode_ = Mode::text;
  return true;
}

// How the prompt ended is not known: a closing tag that nothing opened says that thinking began with the
// reply.
bool MarkerParser::decide(bool at_end) {
  for (std::size_t i = 0; i < rules_.thinking.size(); ++i) {
    const std::size_t open = held_.find(rules_.thinking[i].open);
    const std::size_t close = held_.find(rules_.thinking[i].close);
    if (open < close) {
      mode_ = Mode::text;
      return true;
    }
    if (close == std::string::npos) continue;
    mode_ = Mode::thinking;
    block_ = i;
    return true;
  }
  if (at_end) mode_ = Mode::text;
  return at_end;
}

bool MarkerParser::may_open_block() const {
  return content_.nothing_but_space() || lines_.outside_code_at_line_start();
}

bool MarkerParser::active(const Marker& marker) const {
  if (mode_ == Mode::thinking) {
    switch (marker.kind) {
      case Kind::think_open:
        return reopen_ && marker.index == block_ && reasoning_.nothing_but_space();
      case Kind::think_close:
        return marker.index == block_;
      default:
        return marker.kind == Kind::end;
    }
  }
  switch (marker.kind) {
    case Kind::think_open:
      return may_open_block();
    case Kind::think_close:
      return false;
    case Kind::frame_open:
      return rules_.frames_anywhere || may_open_block();
    case Kind::frame_close:
      return rules_.frames_anywhere || frame_;
    default:
      return marker.kind == Kind::end || failed_calls_ < kMostFailedCalls;
  }
}

// The longest marker at at_.
MarkerParser::Found MarkerParser::find_marker(bool at_end) const {
  Found found;
  const std::string_view rest = std::string_view(held_).substr(at_);
  for (const Marker& marker : markers_) {
    if (rest.front() != marker.text.front() || !active(marker)) continue;
    if (rest.starts_with(marker.text)) {
      if (found.marker == nullptr || marker.text.size() > found.marker->text.size()) found.marker = &marker;
    } else if (!at_end && marker.text.starts_with(rest)) {
      found.unknown = true;
    }
  }
  return found;
}

bool MarkerParser::read_text(bool at_end, std::vector<ReplyPiece>& out) {
  const auto interesting = [this](char c) {
    return begins_marker_[static_cast<unsigned char>(c)] || (whole_ && mode_ == Mode::text && !is_space(c));
  };
  while (at_ < held_.size()) {
    std::size_t next = at_;
    while (next < held_.size() && !interesting(held_[next])) ++next;
    write(next - at_, out);
    if (at_ == held_.size()) return false;
    const char c = held_[at_];
    if (whole_ && mode_ == Mode::text) {
      whole_ = false;
      if (content_.empty() && (c == '{' || c == '[' || c == '`')) {
        start_call(rules_.whole(context_));
        without_marker_ = true;
        return true;
      }
      if (!content_.empty()) continue;
      whole_ = begins_marker_[static_cast<unsigned char>(c)];  // a thinking block may come first
    }
    const Found found = find_marker(at_end);
    if (found.unknown) return false;
    if (found.marker == nullptr) {
      whole_ = whole_ && mode_ == Mode::thinking;
      write(1, out);
      continue;
    }
    const Mode before = mode_;
    pass(*found.marker, out);
    if (mode_ != before) return true;
  }
  return false;
}

void MarkerParser::write(std::size_t size, std::vector<ReplyPiece>& out) {
  if (size == 0) return;
  std::string_view text = std::string_view(held_).substr(at_, size);
  if (unwritten_ > 0) text.remove_prefix(std::min(text.size(), unwritten_ - std::min(unwritten_, at_)));
  writer().text(text, out);
  if (mode_ == Mode::text) lines_.add(text);
  at_ += size;
  if (at_ >= unwritten_) unwritten_ = 0;
}

void MarkerParser::pass(const Marker& marker, std::vector<ReplyPiece>& out) {
  if (marker.kind == Kind::call) return start_call(rules_.calls[marker.index].reader(context_));
  at_ += marker.text.size();
  unwritten_ = 0;
  if (marker.kind == Kind::end) {
    lines_.add(marker.text);
    return writer().end_marker(marker.text);
  }
  writer().marker(out);
  lines_.restart();
  switch (marker.kind) {
    case Kind::think_open:
      if (mode_ != Mode::thinking) reasoning_.marker(out);
      mode_ = Mode::thinking;
      block_ = marker.index;
      reopen_ = false;
      break;
    case Kind::think_close:
      mode_ = Mode::text;
      content_.marker(out);
      break;
    case Kind::frame_open:
      frame_ = true;
      break;
    default:
      frame_ = false;
  }
}

void MarkerParser::start_call(std::unique_ptr<CallReader> reader) {
  reader_ = std::move(reader);
  without_marker_ = false;
  mode_ = Mode::call;
}

bool MarkerParser::read_call(bool at_end, std::vector<ReplyPiece>& out) {
  const CallReader::Outcome outcome = reader_->read(std::string_view(held_).substr(at_), at_end);
  for (ParsedCall& call : reader_->take()) {
    content_.marker(out);
    out.push_back({ReplyPiece::Kind::call, std::move(call.name)});
    append_piece(ReplyPiece::Kind::arguments, call.arguments, out);
  }
  if (outcome == CallReader::Outcome::more) return false;
  if (outcome == CallReader::Outcome::done) {
    at_ += reader_->position();
    unwritten_ = 0;
    mode_ = Mode::text;
    whole_ = false;
    lines_.restart();
    return true;
  }
  give_up_call(outcome == CallReader::Outcome::cut_off, out);
  return true;
}

// Its text is content: where the reply was cut off all of it, else its first bytes, and what follows is
// looked at again.
void MarkerParser::give_up_call(bool cut_off, std::vector<ReplyPiece>& out) {
  mode_ = Mode::text;
  whole_ = false;
  if (reader_->committed() > 0) {
    at_ += reader_->committed();
    unwritten_ = 0;
    lines_.restart();
  }
  if (cut_off) return write_raw(out);
  if (without_marker_) return;
  ++failed_calls_;
  if (reader_->committed() > 0 || at_ == held_.size()) return;
  Found found = find_marker(true);
  write(found.marker == nullptr ? 1 : found.marker->text.size(), out);
}

void MarkerParser::write_raw(std::vector<ReplyPiece>& out) {
  std::size_t end = held_.size();
  for (bool shorter = true; shorter;) {
    shorter = false;
    const std::string_view rest = without_trailing_space(std::string_view(held_).substr(at_, end - at_));
    for (const std::string& marker : rules_.ends) {
      if (!rest.ends_with(marker)) continue;
      end = at_ + rest.size() - marker.size();
      shorter = true;
    }
  }
  write(end - at_, out);
  if (end < held_.size()) content_.end_marker(std::string_view(held_).substr(end));
  at_ = held_.size();
}

}  // namespace pensieve::model::reply
