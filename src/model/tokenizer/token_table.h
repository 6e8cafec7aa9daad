// TokenTable: what tokenizers of every family need of each token (its bytes, whether it shows, whether it
// ends an answer), and TableTokenizer, the part of a tokenizer that needs nothing more. Not the way from text
// to ids.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/tokenizer.h"
#include "model/tokenizer/special_splitter.h"
#include "model/tokenizer/vocabulary.h"

namespace pensieve::model {

// Thread rule: immutable once made; moves only.
class TokenTable {
 public:
  // The bytes that a token of kind `normal` stands for; fails where its text cannot be understood.
  using Spell = Result<std::string> (*)(const VocabularyToken& token, std::int32_t id);

  // Special tokens stand for their text, byte tokens (<0x0A>) for one byte, unused ones for nothing.
  static Result<TokenTable> make(const Vocabulary& vocabulary, Spell spell);

  std::int32_t size() const { return static_cast<std::int32_t>(flags_.size()); }
  bool known(std::int32_t token) const { return token >= 0 && token < size(); }
  // For known tokens only.
  std::string_view bytes(std::int32_t token) const {
    const auto at = static_cast<std::size_t>(token);
    return {spelled_.data() + starts_[at], starts_[at + 1] - starts_[at]};
  }
  bool hidden(std::int32_t token) const { return has(token, kHidden); }
  bool control(std::int32_t token) const { return has(token, kControl); }
  bool ends(std::int32_t token) const { return has(token, kEnds); }

  SpecialSplitter specials;
  std::int32_t begin = -1, end = -1;
  std::vector<std::int32_t> opening, closing;  // what add_special puts around a text
  std::vector<std::int32_t> between;           // what stands between the two texts of a pair

  TokenTable() = default;
  TokenTable(TokenTable&&) = default;
  TokenTable& operator=(TokenTable&&) = default;

 private:
  enum Flag : std::uint8_t { kHidden = 1, kControl = 2, kEnds = 4 };
  bool has(std::int32_t token, Flag flag) const {
    return (flags_[static_cast<std::size_t>(token)] & flag) != 0;
  }

  std::vector<char> spelled_;  // bytes of token id: spelled_[starts_[id] .. starts_[id + 1])
  std::vector<std::size_t> starts_;
  std::vector<std::uint8_t> flags_;
};

// The value of a text <0xHH>; -1 for any other text.
int byte_of_hexadecimal(std::string_view text);

// Everything but the ids of plain text and the clean-up of decoded text.
class TableTokenizer : public Tokenizer {
 public:
  void encode(std::string_view text, EncodeOptions options, std::vector<std::int32_t>& out) const override;
  PairFrame pair_frame() const override { return {table().opening, table().between, table().closing}; }
  std::string_view bytes(std::int32_t token, bool show_special) const override;
  std::int32_t vocabulary() const override { return table().size(); }
  bool is_end(std::int32_t token) const override { return table().known(token) && table().ends(token); }
  bool is_control(std::int32_t token) const override {
    return table().known(token) && table().control(token);
  }
  std::int32_t begin_token() const override { return table().begin; }
  std::int32_t end_token() const override { return table().end; }

 protected:
  // What is kept between the stretches of one text.
  struct Scratch {
    virtual ~Scratch() = default;
  };
  virtual const TokenTable& table() const = 0;
  virtual std::unique_ptr<Scratch> scratch() const = 0;
  // Appends the ids of text without special tokens. `first`: it begins the whole text.
  virtual void encode_plain(std::string_view text, bool first, Scratch& scratch,
                            std::vector<std::int32_t>& out) const = 0;
  std::string joined(const std::vector<std::int32_t>& tokens, bool show_special) const;
};

}  // namespace pensieve::model
