// Reads and checks what byte-level BPE needs. Nothing here trusts the file: every id and text is looked up
// first.
#include "model/tokenizer/bpe_model.h"

#include <fmt/format.h>

#include <limits>
#include <optional>

#include "model/tokenizer/byte_alphabet.h"
#include "model/tokenizer/merge_list.h"
#include "model/tokenizer/pre_tokenizer_rules.h"
#include "model/tokenizer/vocabulary.h"
#include "util/unicode.h"

namespace pensieve::model {
namespace {

constexpr std::string_view kRules = "tokenizer.ggml.pre";

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

Result<std::string> spell(const VocabularyToken& token, std::int32_t id) {
  std::string bytes;
  if (spell_bytes(token.text, bytes)) return bytes;
  // A text outside the byte alphabet is meant literally, as the original tokenizers read it.
  if (printable(token.text)) return token.text;
  return refuse(
      fmt::format("token {} {} has characters outside the printable byte alphabet", id, quoted(token.text)));
}

Result<> find_byte_tokens(const Vocabulary& vocabulary, BpeModel& model) {
  bool any = false;
  for (int byte = 0; byte < 256; ++byte) {
    const auto value = static_cast<std::uint8_t>(byte);
    std::string letter;
    util::append_utf8(alphabet_letter(value), letter);
    std::int32_t id = vocabulary.find(letter);
    const auto stands_for_byte = [&] {
      return id >= 0 && model.table.bytes(id) == std::string_view(reinterpret_cast<const char*>(&value), 1);
    };
    if (!stands_for_byte()) id = vocabulary.find(fmt::format("<0x{:02X}>", byte));
    if (!stands_for_byte()) id = -1;
    model.byte_tokens[value] = id;
    any = any || id >= 0;
  }
  if (any) return {};
  return refuse("the vocabulary has no token for any single byte: it is not one of a byte-level tokenizer");
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
  for (std::int32_t id = 0; id < model.table.size(); ++id) {
    const std::string_view bytes = model.table.bytes(id);
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

struct Rules {
  PreTokenizer pre_tokenizer;
  bool ignore_merges = false, add_begin = false, clean_spaces = false;
};

bool deep(std::string_view expression) {
  constexpr int kDeepest = 8;
  int depth = 0, deepest = 0;
  for (const char letter : expression) {
    depth += letter == '(' ? 1 : letter == ')' ? -1 : 0;
    deepest = std::max(deepest, depth);
  }
  return deepest > kDeepest;
}

// Rules that the file spells out itself (tokenizer_json.h).
Result<Rules> spelled_rules(const std::vector<std::string>& texts, const Metadata& metadata) {
  std::vector<std::string_view> expressions;
  for (const std::string& text : texts) {
    if (deep(text) || expressions.size() == 16) {
      return fail(
          Error::Code::unsupported,
          fmt::format("pre-tokenizer expression {} is too deep, or there are too many", quoted(text)));
    }
    expressions.push_back(text);
  }
  auto parsed = PreTokenizer::parse(expressions);
  if (!parsed) {
    return fail(Error::Code::unsupported,
                "this build does not understand the pre-tokenizer: " + parsed.error().what);
  }
  const auto ignore_merges = metadata.boolean("tokenizer.pensieve.ignore_merges");
  if (!ignore_merges) return tl::unexpected(ignore_merges.error());
  return Rules{std::move(*parsed), ignore_merges->value_or(false), false, false};
}

Result<Rules> rules_of(const Metadata& metadata) {
  if (const auto* texts = metadata.texts("tokenizer.pensieve.expressions"))
    return spelled_rules(*texts, metadata);
  const auto named = read_rules(metadata);
  if (!named) return tl::unexpected(named.error());
  std::vector<std::string_view> expressions;
  for (const std::string_view expression : (*named)->expressions) {
    if (!expression.empty()) expressions.push_back(expression);
  }
  auto parsed = PreTokenizer::parse(expressions);
  if (!parsed) return tl::unexpected(parsed.error());
  return Rules{std::move(*parsed), (*named)->ignore_merges, (*named)->add_begin, (*named)->clean_spaces};
}

}  // namespace

Result<BpeModel> read_bpe_model(const Metadata& metadata) {
  auto rules = rules_of(metadata);
  if (!rules) return tl::unexpected(rules.error());
  const auto vocabulary = read_vocabulary(metadata, {rules->add_begin, false});
  if (!vocabulary) return tl::unexpected(vocabulary.error());
  auto table = TokenTable::make(*vocabulary, &spell);
  if (!table) return tl::unexpected(table.error());

  BpeModel model;
  model.table = std::move(*table);
  model.pre_tokenizer = std::move(rules->pre_tokenizer);
  if (auto found = find_byte_tokens(*vocabulary, model); !found) return tl::unexpected(found.error());
  auto merges = read_merges(metadata, [&](std::string_view text) { return vocabulary->find(text); });
  if (!merges) return tl::unexpected(merges.error());
  model.merges = std::move(*merges);
  spell_replacement(model);
  index_whole_pieces(*vocabulary, rules->ignore_merges, model);
  model.clean_decoded_spaces = rules->clean_spaces;
  const auto form = metadata.text("tokenizer.pensieve.normalizer");
  const auto prefix = metadata.boolean("tokenizer.pensieve.prefix_space");
  if (!form) return tl::unexpected(form.error());
  if (!prefix) return tl::unexpected(prefix.error());
  if (*form) model.normal_form = find_normal_form(**form);
  model.prefix_space = prefix->value_or(false);
  return model;
}

}  // namespace pensieve::model
