// The algorithm: pieces of the text between special tokens, then a piece's own token or the merges of its
// bytes. Nothing can fail here: bpe_model.cpp has checked the file.
#include "model/tokenizer/bpe_tokenizer.h"

#include <utility>

#include "model/tokenizer/bpe_model.h"
#include "model/tokenizer/text_cleanup.h"

namespace pensieve::model {
namespace {

class BpeTokenizer final : public TableTokenizer {
 public:
  explicit BpeTokenizer(BpeModel model) : model_(std::move(model)) {}

  std::string decode(const std::vector<std::int32_t>& tokens, bool show_special) const override {
    std::string text = joined(tokens, show_special);
    return model_.clean_decoded_spaces ? clean_spaces(text) : text;
  }

 private:
  struct BpeScratch final : Scratch {
    PreTokenizerScratch pre_tokenizer;
    std::string normal, prefixed;
    std::vector<std::size_t> sizes;
    std::vector<std::int32_t> symbols;
    MergeScratch merge;
  };

  const TokenTable& table() const override { return model_.table; }
  std::unique_ptr<Scratch> scratch() const override { return std::make_unique<BpeScratch>(); }

  void encode_plain(std::string_view text, bool, Scratch& scratch,
                    std::vector<std::int32_t>& out) const override {
    auto& room = static_cast<BpeScratch&>(scratch);
    if (model_.normal_form) {
      room.normal = normalised(text, *model_.normal_form);
      text = room.normal;
    }
    if (model_.prefix_space && !text.starts_with(' ')) {
      room.prefixed.assign(" ").append(text);
      text = room.prefixed;
    }
    model_.pre_tokenizer.split(text, room.pre_tokenizer, room.sizes);
    for (const std::size_t size : room.sizes) {
      encode_piece(text.substr(0, size), room, out);
      text.remove_prefix(size);
    }
  }

  void encode_piece(std::string_view piece, BpeScratch& scratch, std::vector<std::int32_t>& out) const {
    if (piece.size() <= model_.longest_whole_piece) {
      const std::int32_t token = model_.whole_pieces.find(piece);
      if (token >= 0) {
        out.push_back(token);
        return;
      }
    }
    auto& symbols = scratch.symbols;
    symbols.clear();
    symbols.reserve(piece.size());
    for (const char byte : piece) symbols.push_back(model_.byte_tokens[static_cast<std::uint8_t>(byte)]);
    merge_symbols(model_.merges, symbols, scratch.merge);
    for (const std::int32_t symbol : symbols) {
      if (symbol >= 0) {
        out.push_back(symbol);
      } else {
        out.insert(out.end(), model_.replacement.begin(), model_.replacement.end());
      }
    }
  }

  BpeModel model_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_bpe_tokenizer(const Metadata& metadata) {
  auto model = read_bpe_model(metadata);
  if (!model) return tl::unexpected(model.error());
  return std::make_unique<BpeTokenizer>(std::move(*model));
}

}  // namespace pensieve::model
