// Vocabulary: the token table of a model file after validation, the same for every tokenizer family.
// Not a tokenizer, and not the merges or scores, which families read themselves. Key names: the GGUF
// specification.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/metadata.h"
#include "core/result.h"
#include "model/tokenizer/token_index.h"

namespace pensieve::model {

// The values of tokenizer.ggml.token_type.
enum class TokenKind : std::uint8_t { undefined, normal, unknown, control, user_defined, unused, byte };

struct VocabularyToken {
  std::string text;  // as the file spells it: valid UTF-8, not empty, unique
  TokenKind kind = TokenKind::normal;
  bool control = false;      // kind control, or known to be one by its name
  bool ends = false;         // ends a generation
  bool strip_left = false;   // white space before it belongs to it
  bool strip_right = false;  // white space after it belongs to it

  bool hidden() const { return control || kind == TokenKind::unknown; }  // not part of the shown text
  // Found in text before anything else is; hidden ones only where control tokens are asked for.
  bool special() const { return hidden() || kind == TokenKind::user_defined; }
};

struct SpecialTokenIds {  // -1 where the model has none
  std::int32_t begin = -1, end = -1, end_of_turn = -1, end_of_message = -1, unknown = -1, separator = -1,
               classify = -1;
  std::int32_t fill_prefix = -1, fill_suffix = -1, fill_middle = -1, fill_padding = -1, fill_repository = -1,
               fill_separator = -1;
};

// Thread rule: immutable after read_vocabulary; `index` borrows from `tokens`, so it may be moved but not
// copied.
struct Vocabulary {
  std::vector<VocabularyToken> tokens;
  TokenIndex index;  // by text
  SpecialTokenIds ids;
  bool add_begin = false;
  bool add_end = false;
  // What stands around a text where the file spells it out (tokenizer_json.h), in place of the two flags.
  std::optional<std::vector<std::int32_t>> opening, closing;
  std::optional<std::vector<std::int32_t>> between;  // two texts that are read together; else what closes one

  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  std::int32_t size() const { return static_cast<std::int32_t>(tokens.size()); }
  std::int32_t find(std::string_view text) const { return index.find(text); }
};

struct VocabularyDefaults {  // what holds where the file says nothing
  bool add_begin = false;
  bool add_end = false;
};

// Refuses (`invalid`): no or empty token list, empty, repeated or non-UTF-8 texts, types or scores of another
// length or unknown value, special ids outside the vocabulary, special texts over 1024 bytes.
Result<Vocabulary> read_vocabulary(const Metadata& metadata, VocabularyDefaults defaults);

// Marks what follows from a token's name alone: which tokens end a generation or are control tokens although
// the file does not say so, and which take the white space beside them. Called by read_vocabulary.
void mark_well_known_tokens(Vocabulary& vocabulary, const Metadata& metadata);

// `flag` becomes what the file says under `key`; stays what it is where the file says nothing.
Result<> read_flag(const Metadata& metadata, std::string_view key, bool& flag);

// A file's bytes for a message: quoted, shortened, with everything unprintable escaped.
std::string quoted(std::string_view bytes);

}  // namespace pensieve::model
