// Spelling of tokens and the frame of every encoding: begin token, special tokens and the text between them,
// end token.
#include "model/tokenizer/token_table.h"

#include <fmt/format.h>

namespace pensieve::model {
namespace {

Result<std::string> spelled(const VocabularyToken& token, std::int32_t id, TokenTable::Spell spell) {
  if (token.special()) return token.text;
  switch (token.kind) {
    case TokenKind::byte: {
      const int value = byte_of_hexadecimal(token.text);
      if (value < 0) {
        return fail(Error::Code::invalid,
                    fmt::format("token {} is a byte token but reads {}, not <0x00> to <0xFF>", id,
                                quoted(token.text)));
      }
      return std::string(1, static_cast<char>(static_cast<std::uint8_t>(value)));
    }
    case TokenKind::undefined:
    case TokenKind::unused:
      return std::string();
    default:
      return spell(token, id);
  }
}

}  // namespace

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

Result<TokenTable> TokenTable::make(const Vocabulary& vocabulary, Spell spell) {
  TokenTable table;
  table.starts_.reserve(vocabulary.tokens.size() + 1);
  table.flags_.reserve(vocabulary.tokens.size());
  for (std::int32_t id = 0; id < vocabulary.size(); ++id) {
    const VocabularyToken& token = vocabulary.tokens[static_cast<std::size_t>(id)];
    const auto bytes = spelled(token, id, spell);
    if (!bytes) return tl::unexpected(bytes.error());
    table.starts_.push_back(table.spelled_.size());
    table.spelled_.insert(table.spelled_.end(), bytes->begin(), bytes->end());
    table.flags_.push_back(static_cast<std::uint8_t>(
        (token.hidden() ? kHidden : 0) | (token.control ? kControl : 0) | (token.ends ? kEnds : 0)));
  }
  table.starts_.push_back(table.spelled_.size());
  table.specials = SpecialSplitter(vocabulary);
  table.begin = vocabulary.ids.begin;
  table.end = vocabulary.ids.end;
  if (vocabulary.opening) {
    table.opening = *vocabulary.opening;
  } else if (vocabulary.add_begin && table.begin >= 0) {
    table.opening = {table.begin};
  }
  if (vocabulary.closing) {
    table.closing = *vocabulary.closing;
  } else if (vocabulary.add_end && table.end >= 0) {
    table.closing = {table.end};
  }
  table.between = vocabulary.between.value_or(table.closing);
  return table;
}

void TableTokenizer::encode(std::string_view text, EncodeOptions options,
                            std::vector<std::int32_t>& out) const {
  const TokenTable& tokens = table();
  if (options.add_special) out.insert(out.end(), tokens.opening.begin(), tokens.opening.end());
  std::vector<TextSpan> spans;
  tokens.specials.split(text, options.parse_special, spans);
  const std::unique_ptr<Scratch> room = scratch();
  for (const TextSpan& span : spans) {
    if (span.token >= 0) {
      out.push_back(span.token);
    } else {
      encode_plain(span.text, span.text.data() == text.data(), *room, out);
    }
  }
  if (options.add_special) out.insert(out.end(), tokens.closing.begin(), tokens.closing.end());
}

std::string_view TableTokenizer::bytes(std::int32_t token, bool show_special) const {
  if (!table().known(token) || (!show_special && table().hidden(token))) return {};
  return table().bytes(token);
}

std::string TableTokenizer::joined(const std::vector<std::int32_t>& tokens, bool show_special) const {
  std::string text;
  for (const std::int32_t token : tokens) text += bytes(token, show_special);
  return text;
}

}  // namespace pensieve::model
