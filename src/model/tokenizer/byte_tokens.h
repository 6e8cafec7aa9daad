// ByteTokens: the tokens <0x00> to <0xFF> by which SentencePiece vocabularies spell what has no token of its
// own. Not for byte-level BPE, whose letters are bytes (byte_alphabet.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/tokenizer/token_table.h"
#include "model/tokenizer/vocabulary.h"

namespace pensieve::model {

// Thread rule: immutable; any thread may call.
class ByteTokens {
 public:
  ByteTokens() { tokens_.fill(-1); }
  explicit ByteTokens(const Vocabulary& vocabulary) : ByteTokens() {
    for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
      const VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
      if (token.kind != TokenKind::byte) continue;
      tokens_[static_cast<std::size_t>(byte_of_hexadecimal(token.text))] = id;
      any_ = true;
    }
  }

  bool any() const { return any_; }

  // False, and nothing appended, when one of the bytes has no token.
  bool append(std::string_view bytes, std::vector<std::int32_t>& out) const {
    if (!std::all_of(bytes.begin(), bytes.end(), [this](char byte) { return of(byte) >= 0; })) return false;
    for (const char byte : bytes) out.push_back(of(byte));
    return true;
  }

 private:
  std::int32_t of(char byte) const { return tokens_[static_cast<std::uint8_t>(byte)]; }

  std::array<std::int32_t, 256> tokens_;  // -1: none
  bool any_ = false;
};

}  // namespace pensieve::model
