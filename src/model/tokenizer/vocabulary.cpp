// Reads and checks the token table. Not the names' meaning (well_known_tokens.cpp).
#include "model/tokenizer/vocabulary.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "util/unicode.h"

namespace pensieve::model {
namespace {

constexpr std::size_t kLongestSpecial = 1024;  // bytes; longer ones would make splitting text slow

constexpr std::string_view kTokens = "tokenizer.ggml.tokens";
constexpr std::string_view kTypes = "tokenizer.ggml.token_type";
constexpr std::string_view kScores = "tokenizer.ggml.scores";

tl::unexpected<Error> refuse(std::string what) {
  return fail(Error::Code::invalid, std::move(what));
}

Result<> read_texts(const Metadata& metadata, Vocabulary& vocabulary) {
  const auto* texts = metadata.texts(kTokens);
  if (texts == nullptr || texts->empty()) {
    return refuse(
        fmt::format("{} is absent, empty or not a list of texts: the file has no vocabulary", kTokens));
  }
  if (texts->size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    return refuse(fmt::format("{} has {} entries, more than token ids can count", kTokens, texts->size()));
  }
  vocabulary.tokens.resize(texts->size());
  vocabulary.index = TokenIndex(texts->size());
  for (std::size_t i = 0; i < texts->size(); ++i) {
    VocabularyToken& token = vocabulary.tokens[i];
    token.text = (*texts)[i];
    if (token.text.empty())
      return refuse(fmt::format("{}[{}] is empty: every token needs a text", kTokens, i));
    if (token.text.size() > std::numeric_limits<std::int32_t>::max()) {
      return refuse(fmt::format("{}[{}] has {} bytes", kTokens, i, token.text.size()));
    }
    if (!util::valid_utf8(token.text)) {
      return refuse(fmt::format("{}[{}] {} is not UTF-8", kTokens, i, quoted(token.text)));
    }
    if (!vocabulary.index.insert(token.text, static_cast<std::int32_t>(i))) {
      return refuse(fmt::format("{}[{}] {} is the same text as token {}", kTokens, i, quoted(token.text),
                                vocabulary.index.find(token.text)));
    }
  }
  return {};
}

// An optional array must have an entry for each token.
Result<> check_length(std::string_view key, std::size_t length, std::size_t tokens) {
  if (length == tokens) return {};
  return refuse(fmt::format("{} has {} entries for {} tokens", key, length, tokens));
}

Result<> read_types(const Metadata& metadata, Vocabulary& vocabulary) {
  if (!metadata.contains(kTypes)) return {};
  const auto* types = metadata.integers(kTypes);
  if (types == nullptr) return refuse(fmt::format("{} is not a list of integers", kTypes));
  if (auto checked = check_length(kTypes, types->size(), vocabulary.tokens.size()); !checked) return checked;
  for (std::size_t i = 0; i < types->size(); ++i) {
    const std::int64_t type = (*types)[i];
    if (type < 0 || type > static_cast<std::int64_t>(TokenKind::byte)) {
      return refuse(fmt::format("{}[{}] is {}: types go from 0 to {}", kTypes, i, type,
                                static_cast<int>(TokenKind::byte)));
    }
    VocabularyToken& token = vocabulary.tokens[i];
    token.kind = static_cast<TokenKind>(type);
    token.control = token.kind == TokenKind::control;
  }
  return {};
}

Result<> check_scores(const Metadata& metadata, const Vocabulary& vocabulary) {
  if (!metadata.contains(kScores)) return {};
  const auto* scores = metadata.reals(kScores);
  if (scores == nullptr) return refuse(fmt::format("{} is not a list of numbers", kScores));
  return check_length(kScores, scores->size(), vocabulary.tokens.size());
}

Result<> read_id(const Metadata& metadata, std::string_view name, std::int32_t tokens, std::int32_t& id) {
  const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
  const auto value = metadata.integer(key);
  if (!value) return tl::unexpected(value.error());
  if (!*value) return {};
  // Converters write "none" as -1, which some store in 32 unsigned bits.
  if (**value == -1 || **value == std::numeric_limits<std::uint32_t>::max()) return {};
  if (**value < 0 || **value >= tokens) {
    return refuse(fmt::format("{} is {}, outside the vocabulary of {} tokens", key, **value, tokens));
  }
  id = static_cast<std::int32_t>(**value);
  return {};
}

Result<> read_ids(const Metadata& metadata, Vocabulary& vocabulary) {
  SpecialTokenIds& ids = vocabulary.ids;
  std::int32_t checked_only = -1;
  // The last three are older names; the newer ones win.
  const std::array<std::pair<std::string_view, std::int32_t*>, 18> names{{
      {"prefix", &ids.fill_prefix},
      {"suffix", &ids.fill_suffix},
      {"middle", &ids.fill_middle},
      {"bos", &ids.begin},
      {"eos", &ids.end},
      {"eot", &ids.end_of_turn},
      {"eom", &ids.end_of_message},
      {"unknown", &ids.unknown},
      {"fim_pre", &ids.fill_prefix},
      {"fim_suf", &ids.fill_suffix},
      {"fim_mid", &ids.fill_middle},
      {"fim_pad", &ids.fill_padding},
      {"fim_rep", &ids.fill_repository},
      {"fim_sep", &ids.fill_separator},
      {"padding", &checked_only},
      {"seperator", &ids.separator},
      {"mask", &checked_only},
      {"cls", &ids.classify},
  }};
  for (const auto& [name, id] : names) {
    if (auto read = read_id(metadata, name, vocabulary.size(), *id); !read) return read;
  }
  return {};
}

// Token ids in a list of the file's; nothing where it has none.
Result<std::optional<std::vector<std::int32_t>>> read_tokens(const Metadata& metadata, std::string_view key,
                                                             std::int32_t tokens) {
  const auto* ids = metadata.integers(key);
  if (ids == nullptr) return std::nullopt;
  std::vector<std::int32_t> out;
  for (const std::int64_t id : *ids) {
    if (id < 0 || id >= tokens)
      return refuse(fmt::format("{} holds {}, outside the vocabulary of {} tokens", key, id, tokens));
    out.push_back(static_cast<std::int32_t>(id));
  }
  return out;
}

Result<> mark_tokens(const Metadata& metadata, std::string_view key, bool VocabularyToken::*flag,
                     Vocabulary& vocabulary) {
  const auto ids = read_tokens(metadata, key, vocabulary.size());
  if (!ids) return tl::unexpected(ids.error());
  if (!*ids) return {};
  for (const std::int32_t id : **ids) vocabulary.tokens[static_cast<std::size_t>(id)].*flag = true;
  return {};
}

Result<> read_around(const Metadata& metadata, std::string_view key, std::int32_t tokens,
                     std::optional<std::vector<std::int32_t>>& out) {
  auto ids = read_tokens(metadata, key, tokens);
  if (!ids) return tl::unexpected(ids.error());
  out = std::move(*ids);
  return {};
}

// RoBERTa and its kin close the first text and put a separator before the second.
Result<> settle_between(const Metadata& metadata, Vocabulary& vocabulary) {
  bool doubled = true;
  if (auto read = read_flag(metadata, "tokenizer.ggml.add_sep_token", doubled); !read) return read;
  const SpecialTokenIds& ids = vocabulary.ids;
  if (vocabulary.between || !doubled || ids.separator < 0) return {};
  std::vector<std::int32_t> between;
  if (vocabulary.closing) {
    between = *vocabulary.closing;
  } else if (ids.end >= 0) {
    between.push_back(ids.end);
  }
  between.push_back(ids.separator);
  vocabulary.between = std::move(between);
  return {};
}

Result<> check_special_lengths(const Vocabulary& vocabulary) {
  for (const VocabularyToken& token : vocabulary.tokens) {
    if (token.special() && token.text.size() > kLongestSpecial) {
      return refuse(fmt::format("special token {} has {} bytes, more than {}", quoted(token.text),
                                token.text.size(), kLongestSpecial));
    }
  }
  return {};
}

}  // namespace

Result<> read_flag(const Metadata& metadata, std::string_view key, bool& flag) {
  const auto value = metadata.boolean(key);
  if (!value) return tl::unexpected(value.error());
  if (*value) flag = **value;
  return {};
}

Result<Vocabulary> read_vocabulary(const Metadata& metadata, VocabularyDefaults defaults) {
  Vocabulary vocabulary;
  vocabulary.add_begin = defaults.add_begin;
  vocabulary.add_end = defaults.add_end;
  Result<> read = read_texts(metadata, vocabulary);
  if (read) read = read_types(metadata, vocabulary);
  if (read) read = check_scores(metadata, vocabulary);
  if (read) read = read_ids(metadata, vocabulary);
  if (read) read = read_flag(metadata, "tokenizer.ggml.add_bos_token", vocabulary.add_begin);
  if (read) read = read_flag(metadata, "tokenizer.ggml.add_eos_token", vocabulary.add_end);
  bool closes = false;  // with a separator, which is then the end token: a "no" says nothing about ends
  if (read) read = read_flag(metadata, "tokenizer.ggml.add_sep_token", closes);
  vocabulary.add_end = vocabulary.add_end || closes;
  if (!read) return tl::unexpected(read.error());
  mark_well_known_tokens(vocabulary, metadata);
  read = mark_tokens(metadata, "tokenizer.pensieve.strip_left", &VocabularyToken::strip_left, vocabulary);
  if (read)
    read = mark_tokens(metadata, "tokenizer.pensieve.strip_right", &VocabularyToken::strip_right, vocabulary);
  if (read) read = mark_tokens(metadata, "tokenizer.pensieve.end_ids", &VocabularyToken::ends, vocabulary);
  if (read)
    read = read_around(metadata, "tokenizer.pensieve.opening_ids", vocabulary.size(), vocabulary.opening);
  if (read)
    read = read_around(metadata, "tokenizer.pensieve.closing_ids", vocabulary.size(), vocabulary.closing);
  if (read)
    read = read_around(metadata, "tokenizer.pensieve.between_ids", vocabulary.size(), vocabulary.between);
  if (read) read = settle_between(metadata, vocabulary);
  if (!read) return tl::unexpected(read.error());
  if (read = check_special_lengths(vocabulary); !read) return tl::unexpected(read.error());
  return vocabulary;
}

std::string quoted(std::string_view bytes) {
  constexpr std::size_t kShown = 48;
  std::string out = "'";
  for (std::size_t at = 0; at < bytes.size() && at < kShown;) {
    const util::CodePoint point = util::decode_utf8(bytes, at);
    const bool printable = point.valid && point.value >= 0x20 && point.value != 0x7F &&
                           !(point.value >= 0x80 && point.value < 0xA0);
    for (std::uint32_t i = 0; i < point.size; ++i) {
      const auto byte = static_cast<std::uint8_t>(bytes[at + i]);
      out += printable ? std::string(1, bytes[at + i]) : fmt::format("\\x{:02x}", byte);
    }
    at += point.size;
  }
  return out + (bytes.size() > kShown ? "...'" : "'");
}

}  // namespace pensieve::model
