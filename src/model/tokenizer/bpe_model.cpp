// Reads and checks what byte-level BPE needs. Nothing here trusts the file: every id and text is looked up
// first.
#include "model/tokenizer/bpe_model.h"

#include <fmt/format.h>

#include <limits>
#include <optional>

#include "model/tokenizer/byte_alphabet.h"
#include "model/tokenizer/pre_tokenizer_rules.h"
#include "model/tokenizer/vocabulary.h"
#include "util/unicode.h"

namespace pensieve::model {
namespace {

constexpr std::string_view kRules = "tokenizer.ggml.pre";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";

tl::unexpected<Error> refuse(std::string what) {
  return fail(Error::Code::invalid, std::move(what));
}

Result<const PreTokenizerRules*> read_rules(const Metadata& metadata) {
  const auto name = metadata.text(kRules);
  if (!name) return tl::unexpected(name.error());
  const std::string wanted = *name ? **name : std::string();
  if (const PreTokenizerRules* rules = find_rules(wanted)) return rules;
  return fail(Error::Code::unsupported,
              fmt::format("{} is {}: this build has no such pre-tokenizer (it has: {})", kRules,
                          quoted(wanted), known_rules()));
}

bool printable(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const util::CodePoint point = util::decode_utf8(text, at);
    const bool control = point.value < 0x20 || (point.value >= 0x7F && point.value < 0xA0);
    const bool character =
        (point.value & 0xFFFE) != 0xFFFE && !(point.value >= 0xFDD0 && point.value <= 0xFDEF);
    if (!point.valid || control || !character) return false;
    at += point.size;
  }
  return true;
}

// The value of <0xHH>; -1 for any other text.
int byte_of_hexadecimal(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text.back() != '>') return -1;
  int value = 0;
  for (const char digit : text.substr(3, 2)) {
    const bool decimal = digit >= '0' && digit <= '9';
    if (!decimal && !(digit >= 'A' && digit <= 'F') && !(digit >= 'a' && digit <= 'f')) return -1;
    value = value * 16 + (decimal ? digit - '0' : (digit | 0x20) - 'a' + 10);
  }
  return value;
}

Result<std::string> spell(const VocabularyToken& token, std::int32_t id) {
  if (token.special()) return token.text;
  std::string bytes;
  switch (token.kind) {
    case TokenKind::byte: {
      const int value = byte_of_hexadecimal(token.text);
      if (value < 0)
        return refuse(fmt::format("token {} is a byte token but reads {}, not <0x00> to <0xFF>", id,
                                  quoted(token.text)));
      return std::string(1, static_cast<char>(static_cast<std::uint8_t>(value)));
    }
    case TokenKind::undefined:
    case TokenKind::unused:
      return bytes;  // stand for nothing
    default:
      break;
  }
  if (spell_bytes(token.text, bytes)) return bytes;
  // A text outside the byte alphabet is meant literally, as the original tokenizers read it.
  if (printable(token.text)) return token.text;
  return refuse(
      fmt::format("token {} {} has characters outside the printable byte alphabet", id, quoted(token.text)));
}

Result<> spell_tokens(const Vocabulary& vocabulary, BpeModel& model) {
  model.starts.reserve(vocabulary.tokens.size() + 1);
  model.flags.reserve(vocabulary.tokens.size());
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
    const auto bytes = spell(token, id);
    if (!bytes) return tl::unexpected(bytes.error());
    model.starts.push_back(model.spelled.size());
    model.spelled.insert(model.spelled.end(), bytes->begin(), bytes->end());
    model.flags.push_back(static_cast<std::uint8_t>((token.hidden() ? BpeModel::kHidden : 0) |
                                                    (token.control ? BpeModel::kControl : 0) |
                                                    (token.ends ? BpeModel::kEnds : 0)));
  }
  model.starts.push_back(model.spelled.size());
  return {};
}

Result<> find_byte_tokens(const Vocabulary& vocabulary, BpeModel& model) {
  bool any = false;
  for (int byte = 0; byte < 256; ++byte) {
    const auto value = static_cast<std::uint8_t>(byte);
    std::string letter;
    util::append_utf8(alphabet_letter(value), letter);
    std::int32_t id = vocabulary.find(letter);
    const auto stands_for_byte = [&] {
      return id >= 0 && model.bytes(id) == std::string_view(reinterpret_cast<const char*>(&value), 1);
    };
    if (!stands_for_byte()) id = vocabulary.find(fmt::format("<0x{:02X}>", byte));
    if (!stands_for_byte()) id = -1;
    model.byte_tokens[value] = id;
    any = any || id >= 0;
  }
  if (any) return {};
  return refuse("the vocabulary has no token for any single byte: it is not one of a byte-level tokenizer");
}

Result<> read_merges(const Metadata& metadata, const Vocabulary& vocabulary, BpeModel& model) {
  const auto* merges = metadata.texts(kMerges);
  if (merges == nullptr) return refuse(fmt::format("{} is absent or not a list of texts", kMerges));
  if (merges->size() >= MergeTable::kNever)
    return refuse(fmt::format("{} has {} entries", kMerges, merges->size()));
  model.merges = MergeTable(merges->size());
  std::string joined;
  for (std::size_t rank = 0; rank < merges->size(); ++rank) {
    const std::string_view merge = (*merges)[rank];
    const std::size_t space = merge.find(' ');
    if (space == std::string_view::npos || space == 0 || space + 1 == merge.size() ||
        merge.find(' ', space + 1) != merge.npos) {
      return refuse(
          fmt::format("{}[{}] {} is not two tokens with one space between", kMerges, rank, quoted(merge)));
    }
    const std::string_view left = merge.substr(0, space);
    const std::string_view right = merge.substr(space + 1);
    joined.assign(left).append(right);
    const std::int32_t ids[] = {vocabulary.find(left), vocabulary.find(right), vocabulary.find(joined)};
    const std::string_view texts[] = {left, right, joined};
    for (std::size_t i = 0; i < 3; ++i) {
      if (ids[i] < 0) {
        return refuse(fmt::format("{}[{}] {} needs the token {}, which the vocabulary does not have", kMerges,
                                  rank, quoted(merge), quoted(texts[i])));
      }
    }
    // A pair listed twice keeps its first, stronger rank.
    model.merges.insert(ids[0], ids[1], {static_cast<std::uint32_t>(rank), ids[2]});
  }
  return {};
}

void spell_replacement(BpeModel& model) {
  for (const std::uint8_t byte : {0xEF, 0xBF, 0xBD}) {
    if (model.byte_tokens[byte] < 0) return model.replacement.clear();
    model.replacement.push_back(model.byte_tokens[byte]);
  }
  MergeScratch scratch;
  merge_symbols(model.merges, model.replacement, scratch);
}

// Which tokens a piece with their bytes always becomes: all ordinary ones where merges are ignored for whole
// tokens, otherwise those that the merges do lead to.
void index_whole_pieces(const Vocabulary& vocabulary, bool ignore_merges, BpeModel& model) {
  model.whole_pieces = TokenIndex(vocabulary.tokens.size());
  std::vector<std::int32_t> symbols;
  MergeScratch scratch;
  for (std::int32_t id = 0; id < model.size(); ++id) {
    const std::string_view bytes = model.bytes(id);
    const VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
    if (token.kind != TokenKind::normal || token.hidden() || bytes.empty()) continue;
    if (!ignore_merges) {
      symbols.clear();
      for (const char byte : bytes) symbols.push_back(model.byte_tokens[static_cast<std::uint8_t>(byte)]);
      merge_symbols(model.merges, symbols, scratch);
      if (symbols.size() != 1 || symbols.front() != id) continue;
    }
    model.whole_pieces.insert(bytes, id);
    model.longest_whole_piece = std::max(model.longest_whole_piece, bytes.size());
  }
}

}  // namespace

Result<BpeModel> read_bpe_model(const Metadata& metadata) {
  const auto rules = read_rules(metadata);
  if (!rules) return tl::unexpected(rules.error());
  const auto vocabulary = read_vocabulary(metadata, {(*rules)->add_begin, false});
  if (!vocabulary) return tl::unexpected(vocabulary.error());
  std::vector<std::string_view> expressions;
  for (const std::string_view expression : (*rules)->expressions) {
    if (!expression.empty()) expressions.push_back(expression);
  }
  auto pre_tokenizer = PreTokenizer::parse(expressions);
  if (!pre_tokenizer) return tl::unexpected(pre_tokenizer.error());

  BpeModel model;
  model.pre_tokenizer = std::move(*pre_tokenizer);
  Result<> read = spell_tokens(*vocabulary, model);
  if (read) read = find_byte_tokens(*vocabulary, model);
  if (read) read = read_merges(metadata, *vocabulary, model);
  if (!read) return tl::unexpected(read.error());
  spell_replacement(model);
  index_whole_pieces(*vocabulary, (*rules)->ignore_merges, model);
  model.specials = SpecialSplitter(*vocabulary);
  model.begin = vocabulary->ids.begin;
  model.end = vocabulary->ids.end;
  model.add_begin = vocabulary->add_begin && model.begin >= 0;
  model.add_end = vocabulary->add_end && model.end >= 0;
  model.clean_decoded_spaces = (*rules)->clean_spaces;
  return model;
}

}  // namespace pensieve::model
