// Tokenizer: text to token ids and back, exact on bytes. Owned by the loaded model, used by the engine (stop
// strings) and by prompting. Not a chat format (core/chat_format.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pensieve {

struct EncodeOptions {
  bool add_special = false;    // add the model's own begin (and end) tokens
  bool parse_special = false;  // text that spells a control token becomes that token; never for user text
};

// What the model wants around two texts that it reads together: opening first between second closing.
struct PairFrame {
  std::vector<std::int32_t> opening, between, closing;
};

// Thread rule: immutable; any thread may call.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // Appends to `out`. Any bytes are accepted; time is near-linear in the length.
  virtual void encode(std::string_view text, EncodeOptions options, std::vector<std::int32_t>& out) const = 0;
  virtual PairFrame pair_frame() const { return {}; }
  // The bytes a token stands for; may be part of a UTF-8 character. Empty for ids out of range and,
  // unless `show_special`, for control tokens.
  virtual std::string_view bytes(std::int32_t token, bool show_special) const = 0;
  // Whole texts: what joins the tokens' bytes, after the tokenizer's own clean-up (a leading space, say).
  virtual std::string decode(const std::vector<std::int32_t>& tokens, bool show_special) const = 0;
  virtual std::int32_t vocabulary() const = 0;
  virtual bool is_end(std::int32_t token) const = 0;  // ends a generation (EOS, EOT, EOM)
  virtual bool is_control(std::int32_t token) const = 0;
  virtual std::int32_t begin_token() const = 0;  // -1 when the model has none
  virtual std::int32_t end_token() const = 0;    // -1 when the model has none
};

}  // namespace pensieve
