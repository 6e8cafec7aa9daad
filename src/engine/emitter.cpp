// Emitter: text waits here while it may be the beginning of a stop string or of a character.
// Not for text clean-up: bytes that can never be UTF-8 become U+FFFD, nothing else changes.
#include "engine/emitter.h"

#include <algorithm>
#include <utility>

#include "util/unicode.h"

namespace pensieve::engine {

bool Emitter::add(std::int32_t token, std::optional<TokenLogprob> logprob, bool stops_count) {
  const std::uint64_t begin = shown_ + held_.size();
  for (const char byte : text_of(token)) {
    held_.push_back(byte);
    const std::string* stop = matcher_.add(byte);
    if (stop == nullptr || !stops_count) continue;
    stop_ = *stop;
    held_.resize(held_.size() - stop_.size());
    break;
  }
  const std::uint64_t end = shown_ + held_.size();
  pieces_.push_back({begin, std::max(begin, end), std::move(logprob)});
  if (stop_.empty()) return false;
  while (!pieces_.empty() && pieces_.back().begin >= end) pieces_.pop_back();
  if (!pieces_.empty()) pieces_.back().end = std::min(pieces_.back().end, end);
  finished_ = true;
  return true;
}

std::string_view Emitter::text_of(std::int32_t token) const {
  return tokenizer_->bytes(token, shown_control(token));
}

bool Emitter::shown_control(std::int32_t token) const {
  return shown_controls_ && std::binary_search(shown_controls_->begin(), shown_controls_->end(), token);
}

std::size_t Emitter::showable() const {
  if (finished_) return held_.size();
  const std::size_t certain = held_.size() - matcher_.possible();
  return util::complete_utf8(std::string_view(held_).substr(0, certain));
}

std::optional<TextDelta> Emitter::take() {
  const std::size_t size = showable();
  TextDelta delta;
  delta.text = util::repair_utf8(std::string_view(held_).substr(0, size));
  held_.erase(0, size);
  shown_ += size;
  for (; !pieces_.empty() && pieces_.front().end <= shown_; pieces_.pop_front()) {
    ++delta.tokens;
    if (pieces_.front().logprob) delta.logprobs.push_back(std::move(*pieces_.front().logprob));
  }
  if (delta.text.empty() && delta.logprobs.empty()) {
    uncounted_ += delta.tokens;
    return std::nullopt;
  }
  delta.tokens += std::exchange(uncounted_, 0);
  return delta;
}

}  // namespace pensieve::engine
