// Text and TextBuilder: the bookkeeping of foreign stretches. No operation of the template language is here.
#include "model/chat/jinja/text.h"

#include <algorithm>

namespace pensieve::model::jinja {
namespace {

// What a text costs beside its bytes: control block, string header, counters.
constexpr std::size_t kOverhead = 128;

std::size_t count_characters(std::string_view bytes) {
  std::size_t count = 0;
  for (char byte : bytes) count += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  return count;
}

}  // namespace

Text::Text(std::string bytes, Origin origin) {
  if (bytes.empty()) return;
  auto data = std::make_shared<Data>();
  data->length = count_characters(bytes);
  data->bytes = std::move(bytes);
  data->origin = origin;
  data_ = std::move(data);
}

std::vector<Span> Text::foreign_spans(std::size_t begin, std::size_t end) const {
  if (begin >= end || !has_foreign()) return {};
  if (origin() == Origin::foreign) return {{0, end - begin}};
  const auto& all = data_->spans;
  auto at = std::lower_bound(all.begin(), all.end(), begin,
                             [](const Span& span, std::size_t position) { return span.end <= position; });
  std::vector<Span> found;
  for (; at != all.end() && at->begin < end; ++at) {
    found.push_back({std::max(at->begin, begin) - begin, std::min(at->end, end) - begin});
  }
  return found;
}

std::size_t Text::position(std::size_t index) const {
  if (index >= length()) return size();
  if (ascii()) return index;
  const std::string_view bytes = view();
  std::size_t at = 0;
  for (; index > 0; --index) at += character_size(bytes, at);
  return at;
}

void TextBuilder::reserve_for(std::size_t bytes) {
  if (bytes > limit_ - bytes_.size()) fail_budget("the template writes too much output; it was stopped");
  charge_.grow(bytes);
}

void TextBuilder::mark(std::size_t begin, std::size_t end) {
  if (begin == end) return;
  if (!spans_.empty() && spans_.back().end == begin) {
    spans_.back().end = end;
    return;
  }
  charge_.grow(sizeof(Span));
  spans_.push_back({begin, end});
}

void TextBuilder::append(std::string_view bytes, bool foreign) {
  reserve_for(bytes.size());
  const std::size_t begin = bytes_.size();
  bytes_.append(bytes);
  if (foreign) mark(begin, bytes_.size());
}

void TextBuilder::append(const Text& text, std::size_t begin, std::size_t end) {
  if (begin >= end) return;
  if (text.origin() != Origin::mixed)
    return append(text.view().substr(begin, end - begin), text.has_foreign());
  reserve_for(end - begin);
  const std::size_t base = bytes_.size();
  bytes_.append(text.view().substr(begin, end - begin));
  for (const Span& span : text.foreign_spans(begin, end)) {
    budget_->step();
    mark(base + span.begin, base + span.end);
  }
}

void TextBuilder::fill(std::size_t count, std::string_view bytes, bool foreign) {
  if (bytes.empty() || count == 0) return;
  if (count > SIZE_MAX / bytes.size()) fail_budget("the template writes too much output; it was stopped");
  reserve_for(count * bytes.size());
  const std::size_t begin = bytes_.size();
  bytes_.reserve(begin + count * bytes.size());
  for (std::size_t i = 0; i < count; ++i) bytes_.append(bytes);
  if (foreign) mark(begin, bytes_.size());
}

void TextBuilder::mark_foreign() {
  spans_.clear();
  mark(0, bytes_.size());
}

Text TextBuilder::finish() && {
  if (bytes_.empty()) return Text();
  budget_->step();
  charge_.grow(kOverhead);
  auto data = std::make_shared<Text::Data>();
  data->length = count_characters(bytes_);
  if (!spans_.empty()) {
    const bool whole = spans_.front().begin == 0 && spans_.front().end == bytes_.size();
    data->origin = whole ? Origin::foreign : Origin::mixed;
    if (!whole) data->spans = std::move(spans_);
  }
  data->bytes = std::move(bytes_);
  data->markup = markup_;
  data->charge = std::move(charge_);
  return Text(std::move(data));
}

void append_escaped(TextBuilder& out, const Text& text) {
  std::size_t begin = 0;
  out.budget().scan(text.size());
  for (std::size_t at = 0; !text.markup() && at < text.size(); ++at) {
    std::string_view entity;
    switch (text.view()[at]) {
      case '&':
        entity = "&amp;";
        break;
      case '<':
        entity = "&lt;";
        break;
      case '>':
        entity = "&gt;";
        break;
      case '\'':
        entity = "&#39;";
        break;
      case '"':
        entity = "&#34;";
        break;
      default:
        continue;
    }
    out.append(text, begin, at);
    out.append(entity, text.has_foreign());
    begin = at + 1;
  }
  out.append(text, begin, text.size());
}

Text slice(Budget& budget, const Text& text, std::size_t begin, std::size_t end) {
  if (begin == 0 && end >= text.size()) return text;
  TextBuilder builder(budget);
  builder.append(text, begin, end);
  if (text.markup()) builder.mark_markup();
  return std::move(builder).finish();
}

Text derive(Budget& budget, std::string_view bytes, const Text& source) {
  TextBuilder builder(budget);
  builder.append(bytes, source.has_foreign());
  if (source.markup()) builder.mark_markup();
  return std::move(builder).finish();
}

}  // namespace pensieve::model::jinja
