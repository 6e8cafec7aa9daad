// load_chat_format and load_reply_format: find a model file's chat template and the texts of its begin and
// end tokens.
#include "model/chat/jinja_chat_format.h"
#include "model/chat/reply_format.h"
#include "model/loaded_model.h"

namespace pensieve::model {
namespace {

std::string token_text(const Tokenizer& tokenizer, std::int32_t token) {
  return token < 0 ? std::string() : std::string(tokenizer.bytes(token, true));
}

}  // namespace

Result<std::unique_ptr<ChatFormat>> load_chat_format(const ModelFile& file, const Tokenizer& tokenizer) {
  Result<std::optional<std::string>> source = file.metadata().text("tokenizer.chat_template");
  if (!source) return tl::unexpected(source.error());
  if (!*source || (*source)->empty()) return std::unique_ptr<ChatFormat>();
  return make_chat_format(std::move(**source), token_text(tokenizer, tokenizer.begin_token()),
                          token_text(tokenizer, tokenizer.end_token()));
}

std::unique_ptr<ReplyFormat> load_reply_format(const ModelFile& file, const Tokenizer& tokenizer) {
  const Result<std::optional<std::string>> source = file.metadata().text("tokenizer.chat_template");
  if (!source || !*source || (*source)->empty()) return nullptr;
  return make_reply_format(**source, token_text(tokenizer, tokenizer.end_token()));
}

}  // namespace pensieve::model
