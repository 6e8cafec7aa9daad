// Source of the rules: the published BERT normaliser and pre-tokenizer; categories are those of libutf8proc.
#include "model/tokenizer/word_normaliser.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <array>

#include "model/tokenizer/character_class.h"
#include "model/tokenizer/vocabulary.h"
#include "util/unicode.h"

namespace pensieve::model {
namespace {

bool is_control(utf8proc_category_t category) {
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_CO || category == UTF8PROC_CATEGORY_CS;
}

// The blocks that BERT counts as Chinese; neither Hangul nor Kana.
bool is_ideograph(char32_t value) {
  constexpr std::array<std::array<char32_t, 2>, 8> kBlocks{{{0x4E00, 0x9FFF},
                                                            {0x3400, 0x4DBF},
                                                            {0x20000, 0x2A6DF},
                                                            {0x2A700, 0x2B73F},
                                                            {0x2B740, 0x2B81F},
                                                            {0x2B920, 0x2CEAF},
                                                            {0xF900, 0xFAFF},
                                                            {0x2F800, 0x2FA1F}}};
  for (const auto& block : kBlocks) {
    if (value >= block[0] && value <= block[1]) return true;
  }
  return false;
}

bool stands_alone(char32_t value) {
  const ClassBits classes = classes_of(value);
  return (classes & kPunctuation) != 0 || (value < 0x7F && (classes & kSymbol) != 0);
}

}  // namespace

Result<WordNormaliser> WordNormaliser::read(const Metadata& metadata) {
  WordNormaliser normaliser;
  Result<> read = read_flag(metadata, "tokenizer.ggml.normalizer.lowercase", normaliser.lowercase_);
  if (read) read = read_flag(metadata, "tokenizer.ggml.normalizer.ideographs", normaliser.ideographs_);
  if (read) read = read_flag(metadata, "tokenizer.ggml.normalizer.clean", normaliser.clean_);
  if (!read) return tl::unexpected(read.error());
  const auto accents = metadata.text("tokenizer.ggml.normalizer.accents");
  if (!accents) return tl::unexpected(accents.error());
  if (*accents == "keep") {
    normaliser.accents_ = Accents::keep;
  } else if (*accents == "strip") {
    normaliser.accents_ = Accents::strip;
  } else if (*accents) {
    return fail(Error::Code::invalid,
                fmt::format("tokenizer.ggml.normalizer.accents is {}, not keep or strip", quoted(**accents)));
  }
  return normaliser;
}

void WordNormaliser::add(char32_t value, std::vector<std::string>& words, bool& open) const {
  const auto lower = [this](char32_t letter) {
    return lowercase_ ? static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(letter)))
                      : letter;
  };
  const bool alone = stands_alone(value) || (ideographs_ && is_ideograph(value));
  if (alone || !open) words.emplace_back();
  util::append_utf8(lower(value), words.back());
  open = !alone;
}

void WordNormaliser::split(std::string_view text, std::vector<std::string>& words) const {
  words.clear();
  bool open = false;                                        // the last word goes on
  const bool unassigned = accents_ != Accents::first_only;  // counts as control, as published
  for (std::size_t at = 0; at < text.size();) {
    const util::CodePoint point = util::decode_utf8(text, at);
    at += point.size;
    if ((classes_of(point.value) & kSpace) != 0) {
      open = false;
      continue;
    }
    const auto code = static_cast<utf8proc_int32_t>(point.value);
    if (!point.valid || (clean_ && (point.value == 0 || point.value == util::kReplacement ||
                                    is_control(utf8proc_category(code)) ||
                                    (unassigned && utf8proc_category(code) == UTF8PROC_CATEGORY_CN)))) {
      continue;
    }
    if (accents_ == Accents::keep) {
      add(point.value, words, open);
      continue;
    }
    std::array<utf8proc_int32_t, 32> parts;  // no decomposition is longer than four
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(code, parts.data(), parts.size(), UTF8PROC_DECOMPOSE, nullptr);
    for (utf8proc_ssize_t i = 0; i < count; ++i) {
      const auto part = parts[static_cast<std::size_t>(i)];
      const utf8proc_category_t category = utf8proc_category(part);
      const bool mark = accents_ == Accents::strip ? category == UTF8PROC_CATEGORY_MN
                                                   : (classes_of(static_cast<char32_t>(part)) & kMark) != 0;
      if (!mark) add(static_cast<char32_t>(part), words, open);
      if (accents_ == Accents::first_only) break;
    }
  }
}

}  // namespace pensieve::model
