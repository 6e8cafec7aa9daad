// Reading the letters and merges of a vocabulary, and the algorithm over them. Nothing can fail once it is
// read.
#include "model/tokenizer/sentence_bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>

#include "model/tokenizer/byte_tokens.h"
#include "model/tokenizer/merge_list.h"
#include "model/tokenizer/merge_table.h"
#include "model/tokenizer/space_letter.h"
#include "model/tokenizer/token_table.h"
#include "util/unicode.h"

namespace pensieve::model {
namespace {

constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kMerges = "tokenizer.ggml.merges";
// Every way to cut a token in two is looked up, so its length is limited; published ones have up to 93 bytes.
constexpr std::size_t kLongestToken = 512;

struct SentenceBpeModel {
  TokenTable table;
  MergeTable merges;
  // Characters to symbols: a token's id or, for characters that only longer tokens hold, an id from
  // table.size() on, of which odd_letters has the character.
  std::unordered_map<char32_t, std::int32_t> letters;
  std::vector<char32_t> odd_letters;
  ByteTokens byte_tokens;
  std::int32_t unknown = -1;
  bool add_space_prefix = true;    // to each stretch of text
  bool prefix_first_only = false;  // only to one that begins the text
  bool split_spaces = false;       // pieces never reach over a space
};

tl::unexpected<Error> refuse(std::string what) {
  return fail(Error::Code::invalid, std::move(what));
}

bool mergeable(const VocabularyToken& token) {
  return !token.hidden() && token.kind != TokenKind::byte;
}

Result<std::string> spell(const VocabularyToken& token, std::int32_t) {
  return with_spaces(token.text);
}

std::size_t first_size(std::string_view text) {
  return util::decode_utf8(text, 0).size;
}

void read_letters(const Vocabulary& vocabulary, SentenceBpeModel& model) {
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
    if (mergeable(token) && first_size(token.text) == token.text.size())
      model.letters.emplace(util::decode_utf8(token.text, 0).value, id);
  }
  for (const VocabularyToken& token : vocabulary.tokens) {
    if (!mergeable(token)) continue;
    for (std::size_t at = 0; at < token.text.size();) {
      const util::CodePoint letter = util::decode_utf8(token.text, at);
      const auto id = vocabulary.size() + static_cast<std::int32_t>(model.odd_letters.size());
      if (model.letters.emplace(letter.value, id).second) model.odd_letters.push_back(letter.value);
      at += letter.size;
    }
  }
}

// The symbol that spells `text`; -1 when there is none.
std::int32_t symbol_of(const Vocabulary& vocabulary, const SentenceBpeModel& model, std::string_view text) {
  const util::CodePoint first = util::decode_utf8(text, 0);
  if (first.size == text.size()) {
    const auto found = model.letters.find(first.value);
    return found == model.letters.end() ? -1 : found->second;
  }
  const std::int32_t id = vocabulary.find(text);
  return id >= 0 && mergeable(vocabulary.tokens[static_cast<std::size_t>(id)]) ? id : -1;
}

// Ranks from scores: the best has rank 0, equal scores share one.
std::vector<std::uint32_t> ranks_of(const std::vector<double>& scores) {
  std::vector<double> order = scores;
  std::sort(order.begin(), order.end(), std::greater<>());
  order.erase(std::unique(order.begin(), order.end()), order.end());
  std::vector<std::uint32_t> ranks(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const auto at = std::lower_bound(order.begin(), order.end(), scores[i], std::greater<>());
    ranks[i] = static_cast<std::uint32_t>(at - order.begin());
  }
  return ranks;
}

Result<> merges_by_score(const Metadata& metadata, const Vocabulary& vocabulary, SentenceBpeModel& model) {
  const auto* scores = metadata.reals(kScores);
  if (scores == nullptr) {
    return refuse(
        fmt::format("{} and {} are both absent or of the wrong kind: the file does not say in what "
                    "order to merge",
                    kScores, kMerges));
  }
  for (std::size_t i = 0; i < scores->size(); ++i) {
    if ((*scores)[i] != (*scores)[i]) return refuse(fmt::format("{}[{}] is not a number", kScores, i));
  }
  const std::vector<std::uint32_t> ranks = ranks_of(*scores);
  struct Pair {
    std::int32_t left, right;
    MergeTable::Merge merge;
  };
  std::vector<Pair> pairs;
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
    if (!mergeable(token)) continue;
    const std::string_view text = token.text;
    if (text.size() > kLongestToken) {
      return refuse(fmt::format("token {} {} has {} bytes, more than the {} that a piece may have", id,
                                quoted(text), text.size(), kLongestToken));
    }
    for (std::size_t at = first_size(text); at < text.size(); at += first_size(text.substr(at))) {
      const std::int32_t left = symbol_of(vocabulary, model, text.substr(0, at));
      if (left < 0) continue;
      const std::int32_t right = symbol_of(vocabulary, model, text.substr(at));
      if (right >= 0) pairs.push_back({left, right, {ranks[static_cast<std::size_t>(id)], id}});
    }
  }
  model.merges = MergeTable(pairs.size());
  for (const Pair& pair : pairs) model.merges.insert(pair.left, pair.right, pair.merge);
  return {};
}

Result<> read_fallback(const Vocabulary& vocabulary, SentenceBpeModel& model) {
  model.byte_tokens = ByteTokens(vocabulary);
  model.unknown = vocabulary.ids.unknown;
  if (model.byte_tokens.any() || model.unknown >= 0) return {};
  return refuse(
      "the vocabulary has neither byte tokens nor an unknown token: it cannot spell every text; convert the "
      "model again");
}

class SentenceBpe final : public TableTokenizer {
 public:
  explicit SentenceBpe(SentenceBpeModel model) : model_(std::move(model)) {}

  std::string decode(const std::vector<std::int32_t>& tokens, bool show_special) const override {
    std::string text = joined(tokens, show_special);
    // The space that encoding put before the text.
    const bool prefixed = model_.add_space_prefix && !tokens.empty() && !text.empty() &&
                          text.front() == ' ' && (show_special || !is_control(tokens.front()));
    if (prefixed) text.erase(0, 1);
    return text;
  }

 private:
  struct MergeRoom final : Scratch {
    std::vector<std::int32_t> symbols;
    MergeScratch merge;
  };

  const TokenTable& table() const override { return model_.table; }
  std::unique_ptr<Scratch> scratch() const override { return std::make_unique<MergeRoom>(); }

  void encode_plain(std::string_view text, bool first, Scratch& scratch,
                    std::vector<std::int32_t>& out) const override {
    auto& room = static_cast<MergeRoom&>(scratch);
    std::vector<std::int32_t>& symbols = room.symbols;
    symbols.clear();
    const bool prefix = model_.add_space_prefix && (first || !model_.prefix_first_only);
    // A split vocabulary takes a space that is there already.
    if (prefix && !(model_.split_spaces && text.front() == ' '))
      symbols.push_back(letter(kSpaceLetter, text.size()));
    for (std::size_t at = 0; at < text.size();) {
      const util::CodePoint point = util::decode_utf8(text, at);
      const bool space = point.valid && (point.value == ' ' || point.value == kSpaceLetter);
      if (space && model_.split_spaces) flush(text, room, out);
      symbols.push_back(!point.valid ? missing(at) : letter(space ? kSpaceLetter : point.value, at));
      at += point.size;
    }
    flush(text, room, out);
  }

  void flush(std::string_view text, MergeRoom& room, std::vector<std::int32_t>& out) const {
    merge_symbols(model_.merges, room.symbols, room.merge);
    for (const std::int32_t symbol : room.symbols) append(symbol, text, out);
    room.symbols.clear();
  }

  // Characters without a symbol are told apart by their place in the text; they never merge.
  static std::int32_t missing(std::size_t at) { return -2 - static_cast<std::int32_t>(at); }
  std::int32_t letter(char32_t value, std::size_t at) const {
    const auto found = model_.letters.find(value);
    return found == model_.letters.end() ? missing(at) : found->second;
  }

  void append(std::int32_t symbol, std::string_view text, std::vector<std::int32_t>& out) const {
    if (symbol >= 0 && symbol < model_.table.size()) {
      out.push_back(symbol);
      return;
    }
    std::string bytes;
    if (symbol >= 0) {
      util::append_utf8(model_.odd_letters[static_cast<std::size_t>(symbol - model_.table.size())], bytes);
    } else {
      const auto at = static_cast<std::size_t>(-2 - symbol);
      // A place outside: the prefixed space, of a vocabulary that has no letter for it.
      bytes = at < text.size() ? text.substr(at, util::decode_utf8(text, at).size) : std::string_view(" ");
    }
    if (!model_.byte_tokens.append(bytes, out) && model_.unknown >= 0) out.push_back(model_.unknown);
  }

  SentenceBpeModel model_;
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_sentence_bpe(const Metadata& metadata) {
  const auto vocabulary = read_vocabulary(metadata, {true, false});
  if (!vocabulary) return tl::unexpected(vocabulary.error());
  auto table = TokenTable::make(*vocabulary, &spell);
  if (!table) return tl::unexpected(table.error());
  SentenceBpeModel model;
  model.table = std::move(*table);
  read_letters(*vocabulary, model);
  Result<> read = read_fallback(*vocabulary, model);
  if (read && (has_merges(metadata))) {
    auto merges =
        read_merges(metadata, [&](std::string_view text) { return symbol_of(*vocabulary, model, text); });
    if (!merges) return tl::unexpected(merges.error());
    model.merges = std::move(*merges);
  } else if (read) {
    read = merges_by_score(metadata, *vocabulary, model);
  }
  if (read) read = read_flag(metadata, "tokenizer.ggml.add_space_prefix", model.add_space_prefix);
  if (read) read = read_flag(metadata, "tokenizer.pensieve.prefix_first_only", model.prefix_first_only);
  if (read) read = read_flag(metadata, "tokenizer.pensieve.split_spaces", model.split_spaces);
  if (!read) return tl::unexpected(read.error());
  return std::make_unique<SentenceBpe>(std::move(model));
}

}  // namespace pensieve::model
