// A walk through the form; its own texts are dropped.
#include "model/chat/reply/enforced_parser.h"

#include <algorithm>
#include <utility>

namespace pensieve::model::reply {

EnforcedParser::EnforcedParser(EnforcedForm form, std::optional<ThinkingForm> thinking)
    : form_(std::move(form)), thinking_(std::move(thinking)) {
  std::vector<ReplyPiece> none;
  reasoning_.marker(none);
  if (thinking_ && thinking_->is_open) mode_ = Mode::thinking;
}

void EnforcedParser::feed(std::string_view text, std::vector<ReplyPiece>& out) {
  held_ += text;
  while (step(out)) {
  }
}

void EnforcedParser::finish(std::vector<ReplyPiece>& out) {
  if (mode_ == Mode::thinking) reasoning_.text(held_, out);
  reasoning_.finish(out);
}

bool EnforcedParser::step(std::vector<ReplyPiece>& out) {
  switch (mode_) {
    case Mode::start:
      return start(out);
    case Mode::thinking:
      return think(out);
    case Mode::before:
      if (!pass(form_.before_name)) return false;
      mode_ = Mode::name;
      return true;
    case Mode::name: {
      const std::size_t end = held_.find(form_.after_name);
      if (end == std::string::npos) return false;
      out.push_back({ReplyPiece::Kind::call, held_.substr(0, end)});
      held_.erase(0, end + form_.after_name.size());
      scanner_ = {};
      sent_ = 0;
      mode_ = Mode::arguments;
      return true;
    }
    case Mode::arguments:
      return arguments(out);
  }
  return false;
}

bool EnforcedParser::start(std::vector<ReplyPiece>& out) {
  const std::string_view text = without_leading_space(held_);
  if (text.empty()) return false;
  if (thinking_ && text.size() < thinking_->open.size() && thinking_->open.starts_with(text)) return false;
  mode_ = Mode::before;
  if (!thinking_ || !text.starts_with(thinking_->open)) return true;
  pass(thinking_->open);
  reasoning_.marker(out);
  mode_ = Mode::thinking;
  return true;
}

bool EnforcedParser::think(std::vector<ReplyPiece>& out) {
  const std::size_t end = held_.find(thinking_->close);
  if (end != std::string::npos) {
    reasoning_.text(std::string_view(held_).substr(0, end), out);
    reasoning_.marker(out);
    held_.erase(0, end + thinking_->close.size());
    mode_ = Mode::before;
    return true;
  }
  // What may be the beginning of the closing tag waits.
  std::size_t kept = std::min(held_.size(), thinking_->close.size() - 1);
  while (kept > 0 && !thinking_->close.starts_with(std::string_view(held_).substr(held_.size() - kept)))
    --kept;
  reasoning_.text(std::string_view(held_).substr(0, held_.size() - kept), out);
  held_.erase(0, held_.size() - kept);
  return false;
}

bool EnforcedParser::arguments(std::vector<ReplyPiece>& out) {
  const JsonScanner::Outcome outcome = scanner_.scan(held_);
  const std::size_t known = outcome == JsonScanner::Outcome::complete ? scanner_.position() : held_.size();
  if (known > sent_)
    append_piece(ReplyPiece::Kind::arguments, std::string_view(held_).substr(sent_, known - sent_), out);
  sent_ = known;
  if (outcome != JsonScanner::Outcome::complete) return false;
  held_.erase(0, known);
  mode_ = Mode::before;
  return !form_.before_name.empty();
}

bool EnforcedParser::pass(std::string_view text) {
  const std::size_t at = held_.find(text);
  if (at == std::string::npos) return false;
  held_.erase(0, at + text.size());
  return true;
}

}  // namespace pensieve::model::reply
