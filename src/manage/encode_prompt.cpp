// The text is cut only where a foreign control token would otherwise appear, so ordinary prompts keep the
// exact ids that the model was trained on (merges and pre-tokenisation reach over the borders of pieces).
#include "manage/encode_prompt.h"

#include <algorithm>

namespace pensieve::manage {
namespace {

struct Span {
  std::size_t begin = 0, end = 0;  // bytes
};

// Control tokens spelled in a text: those that the template wrote, and stretches in which foreign text takes
// part.
struct Occurrences {
  std::vector<Span> own, foreign;
};

class Scan {
 public:
  Scan(const ControlTokens& controls, const Prompt& prompt) : text_(prompt.text()) {
    std::size_t at = 0;
    for (const Prompt::Piece& piece : prompt.pieces) {
      if (!piece.parse_special && !piece.text.empty()) foreign_.push_back({at, at + piece.text.size()});
      at += piece.text.size();
    }
    find(controls);
  }

  const std::string& text() const { return text_; }
  const Occurrences& found() const { return found_; }

 private:
  // Every position counts, also inside an earlier occurrence: which of two overlapping spellings a tokenizer
  // takes is its own affair, and foreign text must not win under any rule.
  void find(const ControlTokens& controls) {
    std::size_t next_foreign = 0, own_end = 0;
    for (std::size_t at = 0; at < text_.size(); ++at) {
      const std::size_t length = controls.length_at(text_, at);
      if (length == 0) continue;
      const Span span{at, at + length};
      while (next_foreign < foreign_.size() && foreign_[next_foreign].end <= span.begin) ++next_foreign;
      if (next_foreign < foreign_.size() && foreign_[next_foreign].begin < span.end) {
        found_.foreign.push_back(span);
      } else if (at >= own_end) {
        found_.own.push_back(span);
        own_end = span.end;
      }
    }
  }

  std::string text_;
  std::vector<Span> foreign_;
  Occurrences found_;
};

// Stretches to encode without parsing: from the own control token before a foreign spelling to the one after
// it.
std::vector<Span> unparsed_stretches(const Occurrences& found, std::size_t size) {
  std::vector<Span> stretches;
  std::size_t own = 0, before = 0;
  for (const Span& foreign : found.foreign) {
    for (; own < found.own.size() && found.own[own].end <= foreign.begin; ++own) before = found.own[own].end;
    std::size_t after = own;
    while (after < found.own.size() && found.own[after].begin < foreign.end) ++after;
    const std::size_t end = after < found.own.size() ? found.own[after].begin : size;
    if (!stretches.empty() && before <= stretches.back().end) {
      stretches.back().end = std::max(stretches.back().end, end);
    } else {
      stretches.push_back({before, end});
    }
  }
  return stretches;
}

bool begins_with_begin_token(const Tokenizer& tokenizer, const std::vector<std::int32_t>& ids) {
  return !ids.empty() && ids.front() == tokenizer.begin_token();
}

void add_begin_token(const Tokenizer& tokenizer, std::vector<std::int32_t>& ids) {
  std::vector<std::int32_t> special;
  tokenizer.encode("", {.add_special = true, .parse_special = false}, special);
  if (begins_with_begin_token(tokenizer, special) && !begins_with_begin_token(tokenizer, ids)) {
    ids.insert(ids.begin(), tokenizer.begin_token());
  }
}

}  // namespace

ControlTokens::ControlTokens(const Tokenizer& tokenizer) {
  for (std::int32_t token = 0; token < tokenizer.vocabulary(); ++token) {
    if (!tokenizer.is_control(token)) continue;
    if (std::string spelling(tokenizer.bytes(token, true)); !spelling.empty())
      spellings_.push_back(std::move(spelling));
  }
  std::sort(spellings_.begin(), spellings_.end());
  for (std::uint32_t i = 0; i < spellings_.size(); ++i) {
    auto& range = by_first_byte_[static_cast<unsigned char>(spellings_[i].front())];
    if (range.second == 0) range.first = i;
    range.second = i + 1;
  }
}

std::size_t ControlTokens::length_at(std::string_view text, std::size_t at) const {
  auto [low, high] = by_first_byte_[static_cast<unsigned char>(text[at])];
  std::size_t longest = 0;
  // The range that shares the text's next `depth` bytes shrinks with each byte: near-linear whatever the
  // text.
  for (std::size_t depth = 1; low < high; ++depth) {
    if (spellings_[low].size() == depth) {
      longest = depth;
      while (low < high && spellings_[low].size() == depth) ++low;
    }
    if (low == high || at + depth >= text.size()) break;
    const auto next = static_cast<unsigned char>(text[at + depth]);
    const auto first = spellings_.begin() + low, last = spellings_.begin() + high;
    const auto begin =
        std::lower_bound(first, last, next, [depth](const std::string& spelling, unsigned char byte) {
          return static_cast<unsigned char>(spelling[depth]) < byte;
        });
    const auto end =
        std::upper_bound(begin, last, next, [depth](unsigned char byte, const std::string& spelling) {
          return byte < static_cast<unsigned char>(spelling[depth]);
        });
    low = static_cast<std::uint32_t>(begin - spellings_.begin());
    high = static_cast<std::uint32_t>(end - spellings_.begin());
  }
  return longest;
}

std::vector<std::int32_t> encode_prompt(const Tokenizer& tokenizer, const ControlTokens& controls,
                                        const Prompt& prompt) {
  const Scan scan(controls, prompt);
  const std::string_view text = scan.text();
  std::vector<std::int32_t> ids;
  std::size_t at = 0;
  for (const Span& stretch : unparsed_stretches(scan.found(), text.size())) {
    if (stretch.begin > at)
      tokenizer.encode(text.substr(at, stretch.begin - at), {.add_special = false, .parse_special = true},
                       ids);
    tokenizer.encode(text.substr(stretch.begin, stretch.end - stretch.begin),
                     {.add_special = false, .parse_special = false}, ids);
    at = stretch.end;
  }
  if (at < text.size()) tokenizer.encode(text.substr(at), {.add_special = false, .parse_special = true}, ids);
  add_begin_token(tokenizer, ids);
  return ids;
}

}  // namespace pensieve::manage
