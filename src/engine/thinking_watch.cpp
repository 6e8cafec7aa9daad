// The reply's own parser tells reasoning from the answer, so that both agree in every format. Not a second
// reading of markers.
#include "engine/thinking_watch.h"

#include "util/unicode.h"

namespace pensieve::engine {

std::optional<std::int32_t> ThinkingWatch::forced() const {
  if (written_ > 0 && written_ < close_.size()) return close_[written_];
  if (useless_ || close_.empty() || thought_ < limit_ || !character_.empty() || !reader_->thinking())
    return std::nullopt;
  return close_.front();
}

void ThinkingWatch::add(std::string_view text) {
  const bool closes = forced().has_value();
  const bool before = reader_->thinking();
  pieces_.clear();
  reader_->feed(text, pieces_);
  if (before && reader_->thinking() && !closes) ++thought_;
  character_ += text;
  character_.erase(0, util::complete_utf8(character_));
  if (!closes || ++written_ < close_.size()) return;
  written_ = 0;
  useless_ = reader_->thinking();
}

}  // namespace pensieve::engine
