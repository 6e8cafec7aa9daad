// Headers are held until they are whole; text goes out as it comes; calls wait for their last brace.
#include "model/chat/reply/harmony_parser.h"

#include <algorithm>
#include <array>

#include "model/chat/reply/call_reader.h"

namespace pensieve::model::reply {
namespace {

constexpr std::string_view kStart = "<|start|>", kChannel = "<|channel|>", kMessage = "<|message|>";
constexpr std::string_view kFunctions = "functions.";
constexpr std::size_t kLongestHeader = 1024;

// The word that follows `label` in a header.
std::string_view word_after(std::string_view header, std::string_view label) {
  const std::size_t at = header.find(label);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = without_leading_space(header.substr(at + label.size()));
  return rest.substr(0, rest.find_first_of(" \t\r\n<"));
}

bool may_be_header(std::string_view text) {
  constexpr std::array<std::string_view, 4> kBeginnings{kStart, kChannel, kMessage, "to="};
  text = without_leading_space(text);
  return std::any_of(kBeginnings.begin(), kBeginnings.end(), [text](std::string_view beginning) {
    return text.substr(0, beginning.size()) == beginning.substr(0, text.size());
  });
}

}  // namespace

HarmonyParser::HarmonyParser(std::vector<std::string> ends, std::shared_ptr<const OfferedTools> tools)
    : ends_(std::move(ends)), tools_(std::move(tools)) {}

void HarmonyParser::feed(std::string_view text, std::vector<ReplyPiece>& out) {
  held_ += text;
  while (step(false, out)) {
  }
}

void HarmonyParser::finish(std::vector<ReplyPiece>& out) {
  while (step(true, out)) {
  }
  content_.finish(out);
  reasoning_.finish(out);
}

bool HarmonyParser::step(bool at_end, std::vector<ReplyPiece>& out) {
  if (mode_ == Mode::header) return read_header(at_end, out);
  return mode_ == Mode::call ? read_call(at_end, out) : read_text(at_end, out);
}

bool HarmonyParser::read_header(bool at_end, std::vector<ReplyPiece>& out) {
  if (held_.empty()) return false;
  const std::size_t message = held_.find(kMessage);
  if (may_be_header(held_) && message != std::string::npos && message < kLongestHeader) {
    const std::string_view space_less = without_leading_space(held_);
    if (space_less.starts_with(kStart)) {  // the role is not part of the message
      std::size_t at = held_.size() - space_less.size() + kStart.size();
      while (at < held_.size() && is_call_name(std::string_view(held_).substr(at, 1))) ++at;
      held_.erase(0, at);
      return true;
    }
    return begin_message(std::string_view(held_).substr(0, message), out);
  }
  if (may_be_header(held_) && held_.size() < kLongestHeader && !at_end) return false;
  mode_ = Mode::content;  // no header at all: plain text
  // Here, lest reading text takes it for the beginning of this header again, without end.
  if (held_.compare(0, kStart.size(), kStart) == 0) {
    writer().text(kStart, out);
    held_.erase(0, kStart.size());
  }
  return true;
}

bool HarmonyParser::begin_message(std::string_view header, std::vector<ReplyPiece>& out) {
  const std::size_t body = header.size() + kMessage.size();
  std::string_view recipient = word_after(header, "to=");
  const bool function = recipient.starts_with(kFunctions);
  if (function) recipient.remove_prefix(kFunctions.size());
  if (!recipient.empty() && !tools_->empty() && is_call_name(recipient) &&
      (function || tools_->has(recipient))) {
    mode_ = Mode::call;
    name_ = recipient;
    body_ = body;
    scanner_ = {};
    return true;
  }
  mode_ = recipient.empty() && word_after(header, kChannel) == "analysis" ? Mode::reasoning : Mode::content;
  writer().marker(out);
  if (recipient.empty()) {
    held_.erase(0, body);
  } else {  // to someone who cannot be called: shown as it is
    content_.text(std::string_view(held_).substr(0, body), out);
    held_.erase(0, body);
  }
  return true;
}

std::size_t HarmonyParser::end_marker(std::size_t at, bool at_end) const {
  const std::string_view rest = std::string_view(held_).substr(at);
  bool unknown = false;
  for (const std::string& end : ends_) {
    if (rest.starts_with(end)) return end.size();
    unknown = unknown || (!at_end && end.compare(0, rest.size(), rest) == 0);
  }
  return unknown ? std::string::npos : 0;
}

bool HarmonyParser::read_text(bool at_end, std::vector<ReplyPiece>& out) {
  std::size_t from = 0;
  for (;;) {
    const std::size_t at = std::min(held_.find('<', from), held_.size());
    if (at == held_.size()) {
      writer().text(held_, out);
      held_.clear();
      return false;
    }
    const std::size_t length = end_marker(at, at_end);
    if (length == std::string::npos) {
      writer().text(std::string_view(held_).substr(0, at), out);
      held_.erase(0, at);
      return false;
    }
    if (length > 0) {
      writer().text(std::string_view(held_).substr(0, at), out);
      writer().marker(out);
      // A new message that begins without an end of this one has its marker in the header.
      held_.erase(0, held_.compare(at, kStart.size(), kStart) == 0 ? at : at + length);
      mode_ = Mode::header;
      return true;
    }
    from = at + 1;
  }
}

bool HarmonyParser::read_call(bool at_end, std::vector<ReplyPiece>& out) {
  std::size_t at = body_;
  while (at < held_.size() && is_space(held_[at])) ++at;
  if (at == held_.size()) {
    if (at_end) end_call(at, "{}", out);
    return at_end;
  }
  std::size_t end = at;
  if (held_[at] == '{') {
    const JsonScanner::Outcome scanned = scanner_.scan(std::string_view(held_).substr(at));
    if (scanned == JsonScanner::Outcome::more && !at_end) return false;
    if (scanned != JsonScanner::Outcome::complete) {
      give_up_call(out);
      return true;
    }
    end = at + scanner_.position();
  }
  const std::optional<std::string> arguments =
      arguments_from_text(std::string_view(held_).substr(at, end - at));
  while (end < held_.size() && is_space(held_[end])) ++end;
  const std::size_t length = end < held_.size() ? end_marker(end, at_end) : at_end ? 1 : std::string::npos;
  if (length == std::string::npos) return false;
  if (length == 0 || !arguments) {
    give_up_call(out);
  } else {
    end_call(std::min(end + length, held_.size()), *arguments, out);
  }
  return true;
}

void HarmonyParser::end_call(std::size_t size, std::string arguments, std::vector<ReplyPiece>& out) {
  content_.marker(out);
  out.push_back({ReplyPiece::Kind::call, name_});
  append_piece(ReplyPiece::Kind::arguments, arguments, out);
  const std::size_t start = size >= kStart.size() ? size - kStart.size() : 0;
  held_.erase(0, held_.compare(start, kStart.size(), kStart) == 0 ? start : size);
  mode_ = Mode::header;
}

// Header and body are content; the body goes on as text.
void HarmonyParser::give_up_call(std::vector<ReplyPiece>& out) {
  mode_ = Mode::content;
  content_.text(std::string_view(held_).substr(0, body_), out);
  held_.erase(0, body_);
}

}  // namespace pensieve::model::reply
