// The vocabulary, special tokens and template of a tokenizer.json. How text is prepared is in
// tokenizer_json_text.cpp.
#include "model/tokenizer/tokenizer_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "model/tokenizer/space_letter.h"
#include "model/tokenizer/token_table.h"
#include "model/tokenizer/tokenizer_json_text.h"
#include "model/tokenizer/vocabulary.h"

namespace pensieve::model {
namespace {

using util::Json;

// Ids may leave gaps, but not so many that a few bytes of file make a giant table.
constexpr std::size_t kMostGaps = 65536;

tl::unexpected<Error> refuse(std::string what) {
  return fail(Error::Code::invalid, "tokenizer.json: " + std::move(what));
}

bool is_true(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value != nullptr && *value == Json(true);
}

struct Entry {
  std::string text;
  TokenKind kind = TokenKind::unused;
};

struct Tokens {
  std::vector<Entry> entries;  // by id
  std::vector<std::int64_t> strip_left, strip_right;
};

Result<std::size_t> id_of(const Json& value, std::size_t limit, std::string_view where) {
  if (!value.is_number_integer() || value < 0 || value >= limit) {
    return refuse(fmt::format("{} has the id {}, not a whole number from 0 to {}", where,
                              util::to_json(value), limit - 1));
  }
  return value.get<std::size_t>();
}

Result<> put(Tokens& tokens, std::size_t id, std::string text, TokenKind kind) {
  if (id >= tokens.entries.size()) tokens.entries.resize(id + 1);
  Entry& entry = tokens.entries[id];
  if (entry.kind != TokenKind::unused && entry.text != text) {
    return refuse(fmt::format("id {} is both {} and {}", id, model::quoted(entry.text), model::quoted(text)));
  }
  entry = {std::move(text), kind};
  return {};
}

bool enclosed(std::string_view text) {
  return text.size() > 2 && text.front() == '[' && text.back() == ']';
}

// WordPiece marks pieces inside words with "##"; GGUF, and so our tokenizer, marks those that begin a word.
std::string word_piece_text(const std::string& text) {
  if (text.starts_with("##") && text.size() > 2) return text.substr(2);
  return enclosed(text) ? text : std::string(kSpaceLetterText) + text;
}

Result<> read_vocabulary_object(const Json& model, std::string_view kind, std::size_t limit, Tokens& tokens) {
  const bool fallback = is_true(model, "byte_fallback");
  for (const auto& [text, value] : model["vocab"].items()) {
    const auto id = id_of(value, limit, fmt::format("model.vocab {}", model::quoted(text)));
    if (!id) return tl::unexpected(id.error());
    const bool byte = fallback && byte_of_hexadecimal(text) >= 0;
    auto done = put(tokens, *id, kind == "WordPiece" ? word_piece_text(text) : text,
                    byte ? TokenKind::byte : TokenKind::normal);
    if (!done) return done;
  }
  return {};
}

Result<> read_added(const Json& added, std::size_t limit, Tokens& tokens) {
  for (std::size_t i = 0; i < added.size(); ++i) {
    const Json& token = added[i];
    const std::string where = fmt::format("added_tokens[{}]", i);
    const Json* content = member(token, "content");
    if (content == nullptr || !content->is_string() || member(token, "id") == nullptr)
      return refuse(where + " needs an id and a content");
    const auto id = id_of(token["id"], limit, where);
    if (!id) return tl::unexpected(id.error());
    const TokenKind kind = is_true(token, "special") ? TokenKind::control : TokenKind::user_defined;
    if (*id < tokens.entries.size()) tokens.entries[*id].kind = TokenKind::unused;  // the added one wins
    auto done = put(tokens, *id, content->get<std::string>(), kind);
    if (!done) return done;
    if (is_true(token, "lstrip")) tokens.strip_left.push_back(static_cast<std::int64_t>(*id));
    if (is_true(token, "rstrip")) tokens.strip_right.push_back(static_cast<std::int64_t>(*id));
  }
  return {};
}

std::int64_t find(const Tokens& tokens, std::string_view text) {
  for (std::size_t id = 0; id < tokens.entries.size(); ++id) {
    if (tokens.entries[id].text == text) return static_cast<std::int64_t>(id);
  }
  return -1;
}

Result<> read_merges(const Json& model, Metadata& metadata) {
  const Json* list = member(model, "merges");
  if (list == nullptr || !list->is_array()) return refuse("model.merges is absent or not a list");
  const Json& merges = *list;
  std::vector<std::string> pairs;
  pairs.reserve(merges.size() * 2);
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const Json& merge = merges[i];
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      pairs.push_back(merge[0].get<std::string>());
      pairs.push_back(merge[1].get<std::string>());
      continue;
    }
    const std::string text = merge.is_string() ? merge.get<std::string>() : std::string();
    const std::size_t space = text.find(' ');
    if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
      return refuse(fmt::format("model.merges[{}] is neither two texts nor one text with one space", i));
    }
    pairs.push_back(text.substr(0, space));
    pairs.push_back(text.substr(space + 1));
  }
  metadata.set("tokenizer.pensieve.merge_pairs", std::move(pairs));
  return {};
}

Result<> read_unigram(const Json& model, std::size_t limit, Tokens& tokens, Metadata& metadata) {
  const Json& vocabulary = model["vocab"];
  const bool fallback = is_true(model, "byte_fallback");
  std::vector<double> scores;
  for (std::size_t id = 0; id < vocabulary.size(); ++id) {
    const Json& piece = vocabulary[id];
    if (!piece.is_array() || piece.size() != 2 || !piece[0].is_string() || !piece[1].is_number())
      return refuse(fmt::format("model.vocab[{}] is not a text and a number", id));
    const std::string text = piece[0].get<std::string>();
    const bool byte = fallback && byte_of_hexadecimal(text) >= 0;
    auto done = put(tokens, id, text, byte ? TokenKind::byte : TokenKind::normal);
    if (!done) return done;
    scores.push_back(piece[1].get<double>());
  }
  if (const Json* unknown = member(model, "unk_id")) {
    const auto id = id_of(*unknown, limit, "model.unk_id");
    if (!id) return tl::unexpected(id.error());
    metadata.set("tokenizer.ggml.unknown_token_id", static_cast<std::uint64_t>(*id));
  }
  metadata.set("tokenizer.ggml.scores", std::move(scores));
  return {};
}

// The text of a special token in tokenizer_config.json: a string, or an object with its content.
std::string special_text(const Json& configuration, const char* name) {
  const Json* value = member(configuration, name);
  if (value != nullptr && value->is_object()) value = member(*value, "content");
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

void set_special(const Json& configuration, const char* name, const char* key, const Tokens& tokens,
                 Metadata& metadata) {
  const std::string text = special_text(configuration, name);
  const std::int64_t id = text.empty() ? -1 : find(tokens, text);
  if (id >= 0) metadata.set(fmt::format("tokenizer.ggml.{}_token_id", key), static_cast<std::uint64_t>(id));
}

void set_template(const Json& configuration, Metadata& metadata) {
  const Json* value = member(configuration, "chat_template");
  if (value != nullptr && value->is_string())
    metadata.set("tokenizer.chat_template", value->get<std::string>());
  if (value == nullptr || !value->is_array()) return;
  for (const Json& named : *value) {
    const Json* name = member(named, "name");
    const Json* source = member(named, "template");
    if (name != nullptr && *name == Json("default") && source != nullptr && source->is_string())
      metadata.set("tokenizer.chat_template", source->get<std::string>());
  }
}

void set_tokens(Tokens&& tokens, Metadata& metadata) {
  std::vector<std::string> texts;
  std::vector<std::int64_t> kinds;
  for (std::size_t id = 0; id < tokens.entries.size(); ++id) {
    Entry& entry = tokens.entries[id];
    const bool gap = entry.kind == TokenKind::unused;
    texts.push_back(gap ? fmt::format("[unused id {}]", id) : std::move(entry.text));
    kinds.push_back(static_cast<std::int64_t>(entry.kind));
  }
  metadata.set("tokenizer.ggml.tokens", std::move(texts));
  metadata.set("tokenizer.ggml.token_type", std::move(kinds));
  metadata.set("tokenizer.pensieve.strip_left", std::move(tokens.strip_left));
  metadata.set("tokenizer.pensieve.strip_right", std::move(tokens.strip_right));
}

Result<> check_model(const Json& model, std::string_view kind) {
  if (kind != "BPE" && kind != "WordPiece" && kind != "Unigram") {
    return fail(Error::Code::unsupported,
                fmt::format("tokenizer.json: model.type is {}: this build reads BPE, WordPiece and Unigram",
                            model::quoted(kind)));
  }
  const bool list = kind == "Unigram";
  const Json* vocabulary = member(model, "vocab");
  if (vocabulary == nullptr || !(list ? vocabulary->is_array() : vocabulary->is_object()) ||
      vocabulary->empty())
    return refuse(fmt::format("model.vocab is absent, empty or not {}", list ? "a list" : "an object"));
  for (const char* name : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    const Json* mark = member(model, name);
    if (kind == "BPE" && mark != nullptr && *mark != Json("")) {
      return fail(Error::Code::unsupported,
                  fmt::format("tokenizer.json: model.{} is {}: this build has no BPE with marked words", name,
                              util::to_json(*mark)));
    }
  }
  return {};
}

Result<> read_model(const Json& root, Tokens& tokens, Metadata& metadata) {
  const Json* found = member(root, "model");
  if (found == nullptr) return refuse("model is absent");
  const Json& model = *found;
  const Json* type = member(model, "type");
  const std::string kind = type != nullptr && type->is_string() ? type->get<std::string>() : std::string();
  if (auto checked = check_model(model, kind); !checked) return checked;
  const Json none = Json::array();
  const Json* listed = member(root, "added_tokens");
  const Json& added = listed != nullptr ? *listed : none;
  if (!added.is_array()) return refuse("added_tokens is not a list");
  const std::size_t limit = model["vocab"].size() + added.size() + kMostGaps;
  Result<> read = kind == "Unigram" ? read_unigram(model, limit, tokens, metadata)
                                    : read_vocabulary_object(model, kind, limit, tokens);
  if (read) read = read_added(added, limit, tokens);
  if (read && kind == "BPE") read = read_merges(model, metadata);
  if (!read) return read;
  if (kind == "Unigram") {  // added tokens have no score
    auto scores = *metadata.reals("tokenizer.ggml.scores");
    scores.resize(tokens.entries.size(), 0);
    metadata.set("tokenizer.ggml.scores", std::move(scores));
  }
  if (is_true(model, "ignore_merges")) metadata.set("tokenizer.pensieve.ignore_merges", true);
  const Json* unknown = member(model, "unk_token");
  const std::int64_t id =
      unknown != nullptr && unknown->is_string() ? find(tokens, unknown->get<std::string>()) : -1;
  if (id >= 0) metadata.set("tokenizer.ggml.unknown_token_id", static_cast<std::uint64_t>(id));
  const Json* longest = member(model, "max_input_chars_per_word");
  if (longest != nullptr && longest->is_number_unsigned())
    metadata.set("tokenizer.ggml.normalizer.longest_word", longest->get<std::uint64_t>());
  return {};
}

}  // namespace

Result<> add_tokenizer_json(std::string_view tokenizer, std::string_view configuration, Metadata& metadata) {
  const auto root = util::parse_json(tokenizer);
  if (!root) return refuse(root.error().what);
  if (!root->is_object()) return refuse("it is not an object");
  Json settings = Json::object();
  if (!configuration.empty()) {
    auto parsed = util::parse_json(configuration);
    if (!parsed) return fail(Error::Code::invalid, "tokenizer_config.json: " + parsed.error().what);
    settings = std::move(*parsed);
  }
  Tokens tokens;
  Result<> read = read_model(*root, tokens, metadata);
  if (read) read = read_text_steps(*root, metadata);
  if (read) read = read_template_tokens(*root, tokens.entries.size(), metadata);
  if (!read) return read;
  set_special(settings, "bos_token", "bos", tokens, metadata);
  set_special(settings, "eos_token", "eos", tokens, metadata);
  set_special(settings, "cls_token", "cls", tokens, metadata);
  set_special(settings, "sep_token", "seperator", tokens, metadata);  // as GGUF spells it
  set_template(settings, metadata);
  set_tokens(std::move(tokens), metadata);
  return {};
}

}  // namespace pensieve::model
