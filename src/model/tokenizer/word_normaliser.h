// WordNormaliser: text to the words that WordPiece cuts, in BERT's way. Not a Unicode normaliser for others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/metadata.h"
#include "core/result.h"

namespace pensieve::model {

// Thread rule: immutable; any thread may call.
class WordNormaliser {
 public:
  enum class Accents : std::uint8_t {
    keep,
    strip,       // canonical decomposition, marks that take no space (Mn) left out: the published normaliser
    first_only,  // the first character of each decomposition, all marks (M) left out: what GGUF readers do
  };

  // Keys: tokenizer.ggml.normalizer.lowercase (default true); of our own: tokenizer.ggml.normalizer.accents
  // (keep, strip; default first_only), tokenizer.ggml.normalizer.ideographs (characters of Chinese are words;
  // default true), tokenizer.ggml.normalizer.clean (control characters are left out; default true).
  static Result<WordNormaliser> read(const Metadata& metadata);

  // Replaces `words`; none is empty. Bytes that are not UTF-8 are left out.
  void split(std::string_view text, std::vector<std::string>& words) const;

 private:
  void add(char32_t value, std::vector<std::string>& words, bool& open) const;

  bool lowercase_ = true, ideographs_ = true, clean_ = true;
  Accents accents_ = Accents::first_only;
};

}  // namespace pensieve::model
