// Longest pieces first, from the left; a word that cannot be spelled is one unknown token.
#include "model/tokenizer/word_piece.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "model/tokenizer/space_letter.h"
#include "model/tokenizer/text_cleanup.h"
#include "model/tokenizer/token_table.h"
#include "model/tokenizer/word_normaliser.h"
#include "util/unicode.h"

namespace pensieve::model {
namespace {

// Each place of a word tries every length, so lengths are limited; published pieces have up to 54 bytes.
constexpr std::size_t kLongestPiece = 256;

struct WordPieceModel {
  TokenTable table;
  WordNormaliser normaliser;
  std::vector<std::string> texts;  // of the pieces, as the index borrows them
  TokenIndex pieces;
  std::size_t longest_piece = 0;  // bytes
  std::int64_t longest_word = 0;  // characters; longer ones are unknown. 0: no limit
  std::int32_t unknown = -1;
};

Result<std::string> spell(const VocabularyToken& token, std::int32_t) {
  return with_spaces(token.text);
}

class WordPiece final : public TableTokenizer {
 public:
  explicit WordPiece(WordPieceModel model) : model_(std::move(model)) {}

  std::string decode(const std::vector<std::int32_t>& tokens, bool show_special) const override {
    return clean_spaces(joined(tokens, show_special));
  }

 private:
  struct Words final : Scratch {
    std::vector<std::string> words;
  };

  const TokenTable& table() const override { return model_.table; }
  std::unique_ptr<Scratch> scratch() const override { return std::make_unique<Words>(); }

  void encode_plain(std::string_view text, bool, Scratch& scratch,
                    std::vector<std::int32_t>& out) const override {
    auto& words = static_cast<Words&>(scratch).words;
    model_.normaliser.split(text, words);
    for (std::string& word : words) {
      const std::size_t before = out.size();
      const bool spelled = !too_long(word) && append(std::string(kSpaceLetterText) + word, out);
      if (spelled) continue;
      out.resize(before);
      out.push_back(model_.unknown);
    }
  }

  bool too_long(std::string_view word) const {
    if (model_.longest_word == 0) return false;
    const auto starts = std::count_if(
        word.begin(), word.end(), [](char byte) { return (static_cast<std::uint8_t>(byte) & 0xC0) != 0x80; });
    return starts > model_.longest_word;
  }

  bool append(std::string_view word, std::vector<std::int32_t>& out) const {
    while (!word.empty()) {
      std::int32_t token = -1;
      std::size_t size = std::min(word.size(), model_.longest_piece);
      for (; size > 0 && token < 0; --size) token = model_.pieces.find(word.substr(0, size));
      if (token < 0) return false;
      out.push_back(token);
      word.remove_prefix(size + 1);
    }
    return true;
  }

  WordPieceModel model_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_word_piece(const Metadata& metadata) {
  auto vocabulary = read_vocabulary(metadata, {true, true});
  if (!vocabulary) return tl::unexpected(vocabulary.error());
  SpecialTokenIds& ids = vocabulary->ids;
  const auto settle = [&](std::int32_t& id, std::int32_t named, std::string_view text) {
    if (id < 0) id = named;
    if (id < 0) id = vocabulary->find(text);
    if (id >= 0) vocabulary->tokens[static_cast<std::size_t>(id)].control = true;
  };
  settle(ids.begin, ids.classify, "[CLS]");
  settle(ids.separator, -1, "[SEP]");
  settle(ids.unknown, -1, "[UNK]");
  if (ids.unknown < 0) {
    return fail(
        Error::Code::invalid,
        "the vocabulary has no unknown token ([UNK]), so that it cannot spell every text; convert the "
        "model again");
  }
  ids.end = ids.separator;  // what closes a text
  if (!metadata.contains("tokenizer.pensieve.between_ids") && ids.separator >= 0)
    vocabulary->between = {ids.separator};
  auto table = TokenTable::make(*vocabulary, &spell);
  if (!table) return tl::unexpected(table.error());
  auto normaliser = WordNormaliser::read(metadata);
  if (!normaliser) return tl::unexpected(normaliser.error());
  const auto longest_word = metadata.integer("tokenizer.ggml.normalizer.longest_word");
  if (!longest_word) return tl::unexpected(longest_word.error());

  WordPieceModel model;
  model.table = std::move(*table);
  model.normaliser = *normaliser;
  model.longest_word = longest_word->value_or(0);
  model.unknown = ids.unknown;
  model.texts.reserve(vocabulary->tokens.size());
  model.pieces = TokenIndex(vocabulary->tokens.size());
  for (std::int32_t id = 0; id < vocabulary->size(); ++id) {
    VocabularyToken& token = vocabulary->tokens[static_cast<std::size_t>(id)];
    if (token.hidden()) continue;
    if (token.text.size() > kLongestPiece) {
      return fail(Error::Code::invalid,
                  fmt::format("token {} {} has {} bytes, more than the {} of a piece", id, quoted(token.text),
                              token.text.size(), kLongestPiece));
    }
    const std::string& text = model.texts.emplace_back(std::move(token.text));
    model.pieces.insert(text, id);
    model.longest_piece = std::max(model.longest_piece, text.size());
  }
  return std::make_unique<WordPiece>(std::move(model));
}

}  // namespace pensieve::model
