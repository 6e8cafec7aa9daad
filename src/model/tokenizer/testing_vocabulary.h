// Small vocabularies for tests and the fuzzer. Not for the program: nothing of it is linked there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/metadata.h"
#include "model/tokenizer/byte_alphabet.h"
#include "util/unicode.h"

namespace pensieve::model::testing {

// `bytes` as vocabularies spell them.
inline std::string in_alphabet(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) util::append_utf8(alphabet_letter(static_cast<std::uint8_t>(byte)), text);
  return text;
}

// A byte-level vocabulary in the making: the 256 bytes are tokens 0 to 255 in byte order.
struct TestingVocabulary {
  std::vector<std::string> tokens;
  std::vector<std::int64_t> types;
  std::vector<std::string> merges;

  TestingVocabulary() {
    for (int byte = 0; byte < 256; ++byte) {
      const auto letter = static_cast<char>(static_cast<std::uint8_t>(byte));
      add(in_alphabet(std::string_view(&letter, 1)), 1);
    }
  }

  std::int32_t add(std::string text, std::int64_t type) {
    tokens.push_back(std::move(text));
    types.push_back(type);
    return static_cast<std::int32_t>(tokens.size()) - 1;
  }

  // Adds the merge and, unless it is there already, the token it makes.
  std::int32_t merge(std::string_view left, std::string_view right) {
    merges.push_back(in_alphabet(left) + " " + in_alphabet(right));
    const std::string joined = in_alphabet(left) + in_alphabet(right);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i] == joined) return static_cast<std::int32_t>(i);
    }
    return add(joined, 1);
  }

  Metadata metadata(const std::string& rules = "gpt-2") const {
    Metadata result;
    result.set("tokenizer.ggml.model", std::string("gpt2"));
    result.set("tokenizer.ggml.pre", rules);
    result.set("tokenizer.ggml.tokens", tokens);
    result.set("tokenizer.ggml.token_type", types);
    result.set("tokenizer.ggml.merges", merges);
    return result;
  }
};

}  // namespace pensieve::model::testing
