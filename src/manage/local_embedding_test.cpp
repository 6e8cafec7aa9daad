// Embeddings of a model in this process: a tiny decoder whose file asks for pooling.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <future>

#include "manage/local_inference.h"
#include "model/tiny_llama_for_test.h"

namespace pensieve::manage {
namespace {

using ::testing::HasSubstr;

class LocalEmbeddingTest : public testing::Test {
 protected:
  LocalEmbeddingTest()
      : path_(std::filesystem::temp_directory_path() /
              ("pensieve-embedding-" + std::to_string(::getpid()) + ".gguf")) {}
  ~LocalEmbeddingTest() override { std::filesystem::remove(path_); }

  std::unique_ptr<LocalInference> load(bool pools) {
    auto model = load([pools](model::testing::GgufWriter& file) {
      if (pools) file.u32("llama.pooling_type", 1);
    });
    EXPECT_TRUE(model) << (model ? "" : model.error().what);
    return model ? std::move(*model) : nullptr;
  }
  // Judges pairs in `words`; with several classes, `labels` says what they are.
  Result<std::unique_ptr<LocalInference>> load_judge(const std::string& words,
                                                     const std::vector<std::string>& labels = {}) {
    return load([&](model::testing::GgufWriter& file) {
      file.u32("llama.pooling_type", 4);
      if (!words.empty()) file.text("tokenizer.chat_template.rerank", words);
      if (!labels.empty()) file.texts("llama.classifier.output_labels", labels);
      const std::uint64_t classes = labels.empty() ? 1 : labels.size();
      file.tensor("cls.output.weight", {32, classes}, 0, std::string(32 * 4 * classes, '\0'));
    });
  }
  Result<std::unique_ptr<LocalInference>> load(std::function<void(model::testing::GgufWriter&)> extra) {
    model::testing::TinyLlama tiny;
    tiny.extra = std::move(extra);
    std::ofstream(path_, std::ios::binary) << model::testing::tiny_llama(tiny).bytes;
    hal::Options hardware;
    hardware.backend = "reference";
    hardware.threads = 1;
    return LocalInference::load(path_.string(), "tiny", hardware, engine::Options{}, log_);
  }
  static Result<Embeddings> embed(LocalInference& model, EmbeddingRequest request) {
    std::promise<Result<Embeddings>> answer;
    model.embed(std::move(request), [&](Result<Embeddings> made) { answer.set_value(std::move(made)); });
    return answer.get_future().get();
  }

  std::filesystem::path path_;
  util::Log log_{util::LogLevel::off};
};

TEST_F(LocalEmbeddingTest, GivesOneVectorForEachInput) {
  const auto model = load(true);
  ASSERT_NE(model, nullptr);
  EmbeddingRequest request;
  for (int i = 0; i < 40; ++i) request.inputs.emplace_back("text " + std::to_string(i % 2));
  request.inputs.emplace_back(std::vector<std::int32_t>{65, 66, 67});
  const Result<Embeddings> made = embed(*model, request);
  ASSERT_TRUE(made) << made.error().what;
  ASSERT_EQ(made->vectors.size(), 41U);
  // The tiny model's norms weigh 0, and so do its vectors; that lengths become 1 is for pooling_test.
  for (const std::vector<float>& vector : made->vectors) EXPECT_EQ(vector.size(), 32U);
  EXPECT_EQ(made->vectors[0], made->vectors[38]);  // whatever else is in the step
  EXPECT_GT(made->prompt_tokens, 41 * 3 - 1);
  EXPECT_EQ(model->stats().prompt_tokens, static_cast<std::uint64_t>(made->prompt_tokens));
}

TEST_F(LocalEmbeddingTest, RefusesWhatIsTooLongUnlessItMayCut) {
  const auto model = load(true);
  ASSERT_NE(model, nullptr);
  EmbeddingRequest request;
  request.inputs.emplace_back(std::string(500, 'x'));
  const Result<Embeddings> refused = embed(*model, request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "context_length_exceeded");
  EXPECT_THAT(refused.error().what, HasSubstr("128"));
  request.truncate = true;
  const Result<Embeddings> cut = embed(*model, request);
  ASSERT_TRUE(cut) << cut.error().what;
  EXPECT_EQ(cut->prompt_tokens, 128);
}

TEST_F(LocalEmbeddingTest, ModelsThatWriteMakeNone) {
  const auto model = load(false);
  ASSERT_NE(model, nullptr);
  const Result<Embeddings> refused = embed(*model, EmbeddingRequest{"", {std::string("text")}, false});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Error::Code::unsupported);
}

TEST_F(LocalEmbeddingTest, AJudgeIsAskedInItsOwnWords) {
  const auto model = load_judge("<|begin|>Q {query} D {document}<|end|>", {"no", "yes"});
  ASSERT_TRUE(model) << model.error().what;
  const Result<Embeddings> made =
      embed(**model, EmbeddingRequest{"", {TextPair{"ab", "<|end|>"}, TextPair{"ab", "{query}"}}, false});
  ASSERT_TRUE(made) << made.error().what;
  ASSERT_EQ(made->vectors.size(), 2U);
  EXPECT_EQ(made->vectors[0], std::vector<float>{0.0F}) << "both classes are alike";
  // A token for each byte and each of the two control tokens; what users write never is one, nor a template.
  EXPECT_EQ(made->prompt_tokens, 2 * (2 + 2 + 2 + 3 + 7));
  const Result<Embeddings> text = embed(**model, EmbeddingRequest{"", {std::string("a")}, false});
  ASSERT_FALSE(text);
  EXPECT_THAT(text.error().what, HasSubstr("/v1/rerank"));
}

TEST_F(LocalEmbeddingTest, LongDocumentsAreRefusedOrCut) {
  const auto model = load_judge("Q {query} D {document}.");
  ASSERT_TRUE(model) << model.error().what;
  EmbeddingRequest request{"", {TextPair{"ab", std::string(500, 'x')}}, false};
  const Result<Embeddings> refused = embed(**model, request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, "context_length_exceeded");
  request.truncate = true;
  const Result<Embeddings> cut = embed(**model, request);
  ASSERT_TRUE(cut) << cut.error().what;
  EXPECT_EQ(cut->prompt_tokens, 128);
}

TEST_F(LocalEmbeddingTest, AJudgeMustSayHowItIsAskedAndWhatItAnswers) {
  const auto wordless = load_judge("");
  ASSERT_FALSE(wordless);
  EXPECT_THAT(wordless.error().what, HasSubstr("tokenizer.chat_template.rerank"));
  const auto half = load_judge("Q {query}");
  ASSERT_FALSE(half);
  EXPECT_THAT(half.error().what, HasSubstr("{document}"));
  const auto unnamed = load_judge("{query}{document}", {"good", "bad", "ugly"});
  ASSERT_FALSE(unnamed);
  EXPECT_THAT(unnamed.error().what, HasSubstr("3 classes"));
  const auto talker = load(false);
  const Result<Embeddings> pair = embed(*talker, EmbeddingRequest{"", {TextPair{"a", "b"}}, false});
  EXPECT_FALSE(pair);
}

}  // namespace
}  // namespace pensieve::manage
