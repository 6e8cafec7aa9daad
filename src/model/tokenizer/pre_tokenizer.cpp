// Applies the passes over decoded characters and converts the result to bytes. Not the list of known rules
// (pre_tokenizer_rules.cpp).
#include "model/tokenizer/pre_tokenizer.h"

namespace pensieve::model {
namespace {

bool is_number(const Character& character) {
  return (character.classes() & kNumber) != 0;
}

template <class Piece>
void split_digits(std::span<const Character> text, Piece&& piece, std::uint64_t& work) {
  work += text.size();
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (!is_number(text[at])) {
      ++at;
      continue;
    }
    if (done < at) piece(done, at);
    std::size_t end = at;
    while (end < text.size() && is_number(text[end])) ++end;
    for (std::size_t size = (end - at) % 3 == 0 ? 3 : (end - at) % 3; at < end; at += size, size = 3)
      piece(at, at + size);
    done = at = end;
  }
  if (done < text.size()) piece(done, text.size());
}

}  // namespace

Result<PreTokenizer> PreTokenizer::parse(std::span<const std::string_view> expressions) {
  PreTokenizer result;
  for (const std::string_view expression : expressions) {
    if (expression == kDigitsByThousands) {
      result.passes_.emplace_back(DigitsByThousands{});
      continue;
    }
    auto pattern = Pattern::parse(expression);
    if (!pattern) return tl::unexpected(pattern.error());
    result.passes_.emplace_back(std::move(*pattern));
  }
  return result;
}

void PreTokenizer::split(std::string_view text, PreTokenizerScratch& scratch,
                         std::vector<std::size_t>& sizes) const {
  sizes.clear();
  if (text.empty()) return;
  decode_characters(text, scratch.characters);
  const std::span<const Character> characters(scratch.characters);
  scratch.ends.assign(1, characters.size());
  for (const Pass& pass : passes_) {
    scratch.next_ends.clear();
    std::size_t start = 0;
    for (const std::size_t end : scratch.ends) {
      const auto keep = [&scratch, start](std::size_t, std::size_t last) {
        scratch.next_ends.push_back(start + last);
      };
      const auto piece = characters.subspan(start, end - start);
      if (const auto* pattern = std::get_if<Pattern>(&pass)) {
        pattern->split(piece, keep, scratch.work);
      } else {
        split_digits(piece, keep, scratch.work);
      }
      start = end;
    }
    scratch.ends.swap(scratch.next_ends);
  }
  std::size_t at = 0;
  for (const std::size_t end : scratch.ends) {
    std::size_t size = 0;
    for (; at < end; ++at) size += characters[at].bytes();
    sizes.push_back(size);
  }
}

}  // namespace pensieve::model
