// Stripping, replacing, splitting and padding of texts.
#include "model/chat/jinja/text_operations.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/chat/jinja/operators.h"
#include "util/unicode.h"

namespace pensieve::model::jinja {
namespace {

bool space_at(std::string_view text, std::size_t at) {
  return is_space(util::decode_utf8(text, at).value);
}

std::size_t character_before(std::string_view text, std::size_t end) {
  std::size_t at = end - 1;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) --at;
  return at;
}

std::vector<Span> words_forward(std::string_view text, std::int64_t limit) {
  std::vector<Span> words;
  std::size_t at = strip(text, {}, Side::left).begin;
  while (at < text.size()) {
    if (limit >= 0 && static_cast<std::int64_t>(words.size()) == limit) {
      words.push_back({at, text.size()});
      break;
    }
    std::size_t end = at;
    while (end < text.size() && !space_at(text, end)) end += character_size(text, end);
    words.push_back({at, end});
    at = end + strip(text.substr(end), {}, Side::left).begin;
  }
  return words;
}

std::vector<Span> words_backward(std::string_view text, std::int64_t limit) {
  std::vector<Span> words;
  std::size_t end = strip(text, {}, Side::right).end;
  while (end > 0) {
    if (limit >= 0 && static_cast<std::int64_t>(words.size()) == limit) {
      words.push_back({0, end});
      break;
    }
    std::size_t at = end;
    while (at > 0 && !space_at(text, character_before(text, at))) at = character_before(text, at);
    words.push_back({at, end});
    end = strip(text.substr(0, at), {}, Side::right).end;
  }
  std::reverse(words.begin(), words.end());
  return words;
}

Value slices_of(Budget& budget, const Text& text, const std::vector<Span>& spans) {
  ListBuilder parts(&budget);
  for (const Span& span : spans) parts.push(Value(slice(budget, text, span.begin, span.end)));
  return std::move(parts).finish();
}

}  // namespace

Text strip_text(Budget& budget, const Text& text, std::string_view set, Side side) {
  constexpr std::size_t kOrdinarySet = 64;
  if (set.size() > kOrdinarySet) budget.scan(text.size() * (set.size() / kOrdinarySet));
  const Stretch kept = strip(text.view(), set, side);
  budget.scan(text.size() - (kept.end - kept.begin));
  return slice(budget, text, kept.begin, kept.end);
}

Text replace_text(Budget& budget, const Text& text, const Text& old, const Text& fresh, std::int64_t count) {
  const std::string_view view = text.view();
  TextBuilder out(budget);
  std::size_t from = 0;
  const auto put = [&](bool foreign) { out.append(fresh.view(), foreign || fresh.has_foreign()); };
  if (old.empty()) {
    // Python puts the new text before every character and at the end.
    for (; count != 0 && from < view.size(); --count) {
      const std::size_t size = character_size(view, from);
      put(text.has_foreign());
      out.append(text, from, from + size);
      from += size;
    }
    out.append(text, from, view.size());
    if (count != 0) put(text.has_foreign());
    return std::move(out).finish();
  }
  for (; count != 0; --count) {
    budget.step();
    const std::size_t at = find(budget, view, old.view(), from);
    if (at == std::string_view::npos) break;
    out.append(text, from, at);
    put(!text.foreign_spans(at, at + old.size()).empty());
    from = at + old.size();
  }
  if (from == 0) return text;
  out.append(text, from, view.size());
  return std::move(out).finish();
}

Value split_text(Budget& budget, const Text& text, std::string_view separator, std::int64_t limit,
                 bool from_right) {
  if (separator.empty()) fail_runtime("empty separator");
  const std::string_view view = text.view();
  Charge charge(&budget);
  std::vector<std::size_t> cuts;
  if (from_right && (limit >= 0 || separator.size() > 1)) {
    for (std::size_t end = view.size(); limit < 0 || static_cast<std::int64_t>(cuts.size()) < limit;) {
      const std::size_t at = find_last(budget, view.substr(0, end), separator);
      if (at == std::string_view::npos) break;
      charge.grow(sizeof(std::size_t));
      cuts.push_back(at);
      end = at;
    }
    std::reverse(cuts.begin(), cuts.end());
  } else {
    for (std::size_t from = 0; limit < 0 || static_cast<std::int64_t>(cuts.size()) < limit;) {
      budget.step();
      const std::size_t at = find(budget, view, separator, from);
      if (at == std::string_view::npos) break;
      charge.grow(sizeof(std::size_t));
      cuts.push_back(at);
      from = at + separator.size();
    }
  }
  ListBuilder parts(&budget);
  std::size_t begin = 0;
  for (std::size_t cut : cuts) {
    parts.push(Value(slice(budget, text, begin, cut)));
    begin = cut + separator.size();
  }
  parts.push(Value(slice(budget, text, begin, view.size())));
  return std::move(parts).finish();
}

Value split_space(Budget& budget, const Text& text, std::int64_t limit, bool from_right) {
  const Charge charge(&budget, text.size() / 2 * sizeof(Span));
  budget.scan(text.size());
  return slices_of(budget, text,
                   from_right ? words_backward(text.view(), limit) : words_forward(text.view(), limit));
}

std::vector<Text> split_lines(Budget& budget, const Text& text, bool keep_ends) {
  const std::string_view view = text.view();
  const Charge charge(&budget, text.size() * sizeof(Text));
  budget.scan(text.size());
  std::vector<Text> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < view.size();) {
    const util::CodePoint point = util::decode_utf8(view, at);
    std::size_t next = at + point.size;
    if (is_line_break(point.value)) {
      if (point.value == '\r' && next < view.size() && view[next] == '\n') ++next;
      lines.push_back(slice(budget, text, begin, keep_ends ? next : at));
      begin = next;
    }
    at = next;
  }
  if (begin < view.size()) lines.push_back(slice(budget, text, begin, view.size()));
  return lines;
}

Text map_text(Budget& budget, const Text& text, std::string (*map)(std::string_view)) {
  const Charge charge(&budget, text.size() * 2);
  budget.scan(text.size() * 2);  // classes and mappings are looked up in tables
  return derive(budget, map(text.view()), text);
}

Text pad_text(Budget& budget, const Text& text, std::int64_t width, std::string_view fill, Pad side) {
  const auto length = static_cast<std::int64_t>(text.length());
  if (width <= length) return text;
  const auto missing = static_cast<std::size_t>(width - length);
  // Python's center puts the odd blank on the left when the width is odd.
  const std::size_t center = missing / 2 + (missing & static_cast<std::size_t>(width) & 1);
  const std::size_t before = side == Pad::left ? missing : side == Pad::right ? 0 : center;
  TextBuilder out(budget);
  out.fill(before, fill);
  out.append(text);
  out.fill(missing - before, fill);
  return std::move(out).finish();
}

}  // namespace pensieve::model::jinja
