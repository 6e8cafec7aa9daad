// The chat format of a model file: where the template and the special texts come from.
#include <gtest/gtest.h>

#include "model/loaded_model.h"

namespace pensieve::model {
namespace {

class OneKeyFile : public ModelFile {
 public:
  explicit OneKeyFile(std::optional<MetadataValue> source) {
    if (source) metadata_.set("tokenizer.chat_template", std::move(*source));
  }
  const FileReport& report() const override { return report_; }
  const Metadata& metadata() const override { return metadata_; }
  std::span<const TensorInfo> tensors() const override { return {}; }
  const TensorInfo* find(std::string_view) const override { return nullptr; }
  std::uint64_t file_bytes() const override { return 0; }

 private:
  FileReport report_;
  Metadata metadata_;
};

// Token 1 is <begin>; there is no end token.
class TwoTokens : public Tokenizer {
 public:
  void encode(std::string_view, EncodeOptions, std::vector<std::int32_t>&) const override {}
  std::string_view bytes(std::int32_t token, bool show_special) const override {
    return token == 1 && show_special ? "<begin>" : "";
  }
  std::string decode(const std::vector<std::int32_t>&, bool) const override { return {}; }
  std::int32_t vocabulary() const override { return 2; }
  bool is_end(std::int32_t) const override { return false; }
  bool is_control(std::int32_t token) const override { return token == 1; }
  std::int32_t begin_token() const override { return 1; }
  std::int32_t end_token() const override { return -1; }
};

TEST(LoadChatFormatTest, TakesTheTemplateFromTheFileAndTheTextsFromTheTokenizer) {
  const OneKeyFile file(
      MetadataValue(std::string("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}.")));
  const auto format = load_chat_format(file, TwoTokens());
  ASSERT_TRUE(format && *format);
  ChatRequest request;
  request.messages.emplace_back();
  request.messages.back().role = "user";
  request.messages.back().content = "hi";
  const Result<Prompt> prompt = (*format)->render(request);
  ASSERT_TRUE(prompt);
  EXPECT_EQ(prompt->text(), "<begin>hi.");
}

TEST(LoadChatFormatTest, AFileWithoutTemplateHasNoFormat) {
  const auto absent = load_chat_format(OneKeyFile(std::nullopt), TwoTokens());
  ASSERT_TRUE(absent);
  EXPECT_EQ(*absent, nullptr);
}

TEST(LoadChatFormatTest, ATemplateOfTheWrongKindOrBrokenIsAnError) {
  EXPECT_FALSE(load_chat_format(OneKeyFile(MetadataValue(std::int64_t{5})), TwoTokens()));
  EXPECT_FALSE(load_chat_format(OneKeyFile(MetadataValue(std::string("{% if %}"))), TwoTokens()));
}

}  // namespace
}  // namespace pensieve::model
