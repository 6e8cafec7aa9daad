// From the pieces of a rendered conversation to token ids: what users wrote never becomes a control token.
// Not a template and not a tokenizer: it decides which stretches of text may be parsed for control tokens.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/chat.h"
#include "core/tokenizer.h"

namespace pensieve::manage {

// Finds where a text spells a control token. Built once for a model.
// Thread rule: immutable; any thread may call.
class ControlTokens {
 public:
  explicit ControlTokens(const Tokenizer& tokenizer);

  // Length of the longest control token spelled at text[at]; 0 when there is none.
  std::size_t length_at(std::string_view text, std::size_t at) const;

 private:
  std::vector<std::string> spellings_;                                        // sorted
  std::array<std::pair<std::uint32_t, std::uint32_t>, 256> by_first_byte_{};  // range in spellings_
};

// Where no foreign piece (parse_special false) takes part in spelling a control token, the result equals
// encoding the whole text with parse_special. Otherwise the text between the two template-written control
// tokens around each such place is encoded as one string in which nothing is parsed. Adds the model's begin
// token when the model wants one and the template wrote none.
std::vector<std::int32_t> encode_prompt(const Tokenizer& tokenizer, const ControlTokens& controls,
                                        const Prompt& prompt);

}  // namespace pensieve::manage
