// Reading, normalising and the search for the best path. Time is linear in the text, times the longest piece.
#include "model/tokenizer/unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "model/tokenizer/byte_tokens.h"
#include "model/tokenizer/byte_trie.h"
#include "model/tokenizer/character_map.h"
#include "model/tokenizer/space_letter.h"
#include "model/tokenizer/token_table.h"
#include "util/unicode.h"

namespace pensieve::model {
namespace {

constexpr std::string_view kScores = "tokenizer.ggml.scores";
constexpr std::string_view kMap = "tokenizer.ggml.precompiled_charsmap";
constexpr double kUnknownPenalty = 10;
constexpr std::size_t kLongestPiece = 512;  // bytes

struct UnigramModel {
  TokenTable table;
  ByteTrie pieces;
  std::vector<float> scores;
  std::optional<CharacterMap> map;
  ByteTokens byte_tokens;
  std::int32_t unknown = -1;
  double unknown_score = 0;
  bool add_space_prefix = true, prefix_first_only = false, remove_extra_spaces = true;
};

tl::unexpected<Error> refuse(std::string what) {
  return fail(Error::Code::invalid, std::move(what));
}

Result<std::string> spell(const VocabularyToken& token, std::int32_t) {
  return with_spaces(token.text);
}

class Unigram final : public TableTokenizer {
 public:
  explicit Unigram(UnigramModel model) : model_(std::move(model)) {}

  std::string decode(const std::vector<std::int32_t>& tokens, bool show_special) const override {
    std::string text = joined(tokens, show_special);
    if (model_.add_space_prefix && text.starts_with(' ')) text.erase(0, 1);
    return text;
  }

 private:
  struct Step {  // the best way to the end of a character
    double score = -std::numeric_limits<double>::infinity();
    std::size_t from = 0;
    std::int32_t token = -1;
  };
  struct Room final : Scratch {
    std::string text;
    std::vector<Step> best;
    std::vector<std::pair<std::int32_t, std::size_t>> path;  // token and where it begins, last first
  };

  const TokenTable& table() const override { return model_.table; }
  std::unique_ptr<Scratch> scratch() const override { return std::make_unique<Room>(); }

  void encode_plain(std::string_view text, bool first, Scratch& scratch,
                    std::vector<std::int32_t>& out) const override {
    auto& room = static_cast<Room&>(scratch);
    normalise(text, first, room.text);
    if (room.text.empty()) return;
    search(room);
    append(room, out);
  }

  // Replacements of the map, then white space as SentencePiece has it: runs become one, none at the ends.
  void normalise(std::string_view text, bool first, std::string& out) const {
    std::string mapped;
    mapped.reserve(text.size() + 8);
    while (!text.empty()) {
      const auto match = model_.map ? model_.map->longest(text) : std::nullopt;
      const util::CodePoint point = util::decode_utf8(text, 0);
      if (match) {
        mapped += match->replacement;
      } else if (point.valid) {
        mapped += text.substr(0, point.size);
      } else {
        util::append_utf8(util::kReplacement, mapped);
      }
      text.remove_prefix(match ? match->size : point.size);
    }
    out.clear();
    std::string_view rest = mapped;
    if (model_.remove_extra_spaces) {
      while (rest.starts_with(' ')) rest.remove_prefix(1);
      while (rest.ends_with(' ')) rest.remove_suffix(1);
    }
    if (rest.empty()) return;
    if (model_.add_space_prefix && (first || !model_.prefix_first_only)) out += kSpaceLetterText;
    bool space = false;
    for (const char letter : rest) {
      const bool skipped = letter == ' ' && space && model_.remove_extra_spaces;
      space = letter == ' ';
      if (space && !skipped) out += kSpaceLetterText;
      if (!space) out += letter;
    }
  }

  void search(Room& room) const {
    const std::string_view text = room.text;
    room.best.assign(text.size() + 1, Step{});
    room.best[0].score = 0;
    for (std::size_t at = 0; at < text.size();) {
      const double score = room.best[at].score;
      const std::size_t size = util::decode_utf8(text, at).size;
      bool whole = false;  // a piece covers exactly this character
      const auto offer = [&](std::size_t bytes, std::int32_t token, double gain) {
        Step& step = room.best[at + bytes];
        if (score + gain > step.score) step = {score + gain, at, token};
      };
      model_.pieces.walk(text.substr(at), [&](std::size_t bytes, std::int32_t token) {
        whole = whole || bytes == size;
        offer(bytes, token, static_cast<double>(model_.scores[static_cast<std::size_t>(token)]));
      });
      if (!whole) offer(size, -1, model_.unknown_score);
      at += size;
    }
  }

  void append(Room& room, std::vector<std::int32_t>& out) const {
    room.path.clear();
    for (std::size_t at = room.text.size(); at > 0; at = room.best[at].from)
      room.path.emplace_back(room.best[at].token, room.best[at].from);
    std::reverse(room.path.begin(), room.path.end());
    bool unknown = false;
    for (std::size_t i = 0; i < room.path.size(); ++i) {
      const auto [token, from] = room.path[i];
      const std::size_t end = i + 1 < room.path.size() ? room.path[i + 1].second : room.text.size();
      const bool was_unknown = unknown;
      unknown =
          token < 0 && !model_.byte_tokens.append(std::string_view(room.text).substr(from, end - from), out);
      if (token >= 0) out.push_back(token);
      if (unknown && !was_unknown && model_.unknown >= 0) out.push_back(model_.unknown);
    }
  }

  UnigramModel model_;
};

Result<> read_pieces(const Metadata& metadata, const Vocabulary& vocabulary, UnigramModel& model) {
  const auto* scores = metadata.reals(kScores);
  if (scores == nullptr) return refuse(fmt::format("{} is absent or not a list of numbers", kScores));
  std::size_t bytes = 0;
  double worst = 0;
  model.byte_tokens = ByteTokens(vocabulary);
  const auto ordinary = [](const VocabularyToken& token) {
    return !token.hidden() && (token.kind == TokenKind::normal || token.kind == TokenKind::user_defined);
  };
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
    const double score = (*scores)[static_cast<std::size_t>(id)];
    if (!std::isfinite(score)) return refuse(fmt::format("{}[{}] is not a finite number", kScores, id));
    model.scores.push_back(static_cast<float>(score));
    if (!ordinary(token)) continue;
    if (token.text.size() > kLongestPiece) {
      return refuse(fmt::format("token {} {} has {} bytes, more than the {} of a piece", id,
                                quoted(token.text), token.text.size(), kLongestPiece));
    }
    bytes += token.text.size();
    worst = std::min(worst, score);
  }
  model.pieces = ByteTrie(bytes);
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
    if (ordinary(token)) model.pieces.insert(token.text, id);
  }
  model.unknown_score = worst - kUnknownPenalty;
  model.unknown = vocabulary.ids.unknown;
  if (model.unknown < 0 && !model.byte_tokens.any())
    return refuse("the vocabulary has neither an unknown token nor byte tokens: it cannot spell every text");
  return {};
}

Result<> read_map(const Metadata& metadata, UnigramModel& model) {
  std::string bytes;
  if (const auto* numbers = metadata.integers(kMap)) {
    bytes.reserve(numbers->size());
    for (const std::int64_t number : *numbers) bytes.push_back(static_cast<char>(number));
  } else if (metadata.contains(kMap)) {
    const auto text = metadata.text(kMap);
    if (!text) return tl::unexpected(text.error());
    bytes = **text;
  }
  if (bytes.empty()) return {};
  auto map = CharacterMap::read(bytes);
  if (!map) return tl::unexpected(map.error());
  model.map = std::move(*map);
  return {};
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> make_unigram(const Metadata& metadata) {
  const auto vocabulary = read_vocabulary(metadata, {false, true});
  if (!vocabulary) return tl::unexpected(vocabulary.error());
  auto table = TokenTable::make(*vocabulary, &spell);
  if (!table) return tl::unexpected(table.error());
  UnigramModel model;
  model.table = std::move(*table);
  Result<> read = read_pieces(metadata, *vocabulary, model);
  if (read) read = read_map(metadata, model);
  if (read) read = read_flag(metadata, "tokenizer.ggml.add_space_prefix", model.add_space_prefix);
  if (read) read = read_flag(metadata, "tokenizer.ggml.remove_extra_whitespaces", model.remove_extra_spaces);
  if (read) read = read_flag(metadata, "tokenizer.pensieve.prefix_first_only", model.prefix_first_only);
  if (!read) return tl::unexpected(read.error());
  return std::make_unique<Unigram>(std::move(model));
}

}  // namespace pensieve::model
