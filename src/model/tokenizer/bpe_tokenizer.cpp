// The algorithm: special tokens first, then pieces, then a piece's own token or the merges of its bytes.
// Nothing can fail here: bpe_model.cpp has checked the file.
#include "model/tokenizer/bpe_tokenizer.h"

#include <utility>

#include "model/tokenizer/bpe_model.h"
#include "model/tokenizer/text_cleanup.h"

namespace pensieve::model {
namespace {

class BpeTokenizer final : public Tokenizer {
 public:
  explicit BpeTokenizer(BpeModel model) : model_(std::move(model)) {}

  void encode(std::string_view text, EncodeOptions options, std::vector<std::int32_t>& out) const override {
    if (options.add_special && model_.add_begin) out.push_back(model_.begin);
    std::vector<TextSpan> spans;
    model_.specials.split(text, options.parse_special, spans);
    Scratch scratch;
    for (const TextSpan& span : spans) {
      if (span.token >= 0) {
        out.push_back(span.token);
      } else {
        encode_plain(span.text, scratch, out);
      }
    }
    if (options.add_special && model_.add_end) out.push_back(model_.end);
  }

  std::string_view bytes(std::int32_t token, bool show_special) const override {
    if (!known(token) || (!show_special && has(token, BpeModel::kHidden))) return {};
    return model_.bytes(token);
  }

  std::string decode(const std::vector<std::int32_t>& tokens, bool show_special) const override {
    std::string text;
    for (const std::int32_t token : tokens) text += bytes(token, show_special);
    return model_.clean_decoded_spaces ? clean_spaces(text) : text;
  }

  std::int32_t vocabulary() const override { return model_.size(); }
  bool is_end(std::int32_t token) const override { return known(token) && has(token, BpeModel::kEnds); }
  bool is_control(std::int32_t token) const override {
    return known(token) && has(token, BpeModel::kControl);
  }
  std::int32_t begin_token() const override { return model_.begin; }
  std::int32_t end_token() const override { return model_.end; }

 private:
  struct Scratch {
    PreTokenizerScratch pre_tokenizer;
    std::vector<std::size_t> sizes;
    std::vector<std::int32_t> symbols;
    MergeScratch merge;
  };

  bool known(std::int32_t token) const { return token >= 0 && token < model_.size(); }
  bool has(std::int32_t token, BpeModel::Flag flag) const {
    return (model_.flags[static_cast<std::size_t>(token)] & flag) != 0;
  }

  void encode_plain(std::string_view text, Scratch& scratch, std::vector<std::int32_t>& out) const {
    model_.pre_tokenizer.split(text, scratch.pre_tokenizer, scratch.sizes);
    for (const std::size_t size : scratch.sizes) {
      encode_piece(text.substr(0, size), scratch, out);
      text.remove_prefix(size);
    }
  }

  void encode_piece(std::string_view piece, Scratch& scratch, std::vector<std::int32_t>& out) const {
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
