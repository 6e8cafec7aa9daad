// Embeddings of a model in this process: a tiny decoder whose file asks for pooling.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
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
    model::testing::TinyLlama tiny;
    tiny.extra = [pools](model::testing::GgufWriter& file) {
      if (pools) file.u32("llama.pooling_type", 1);
    };
    std::ofstream(path_, std::ios::binary) << model::testing::tiny_llama(tiny).bytes;
    hal::Options hardware;
    hardware.backend = "reference";
    hardware.threads = 1;
    Result<std::unique_ptr<LocalInference>> model =
        LocalInference::load(path_.string(), "tiny", hardware, engine::Options{}, log_);
    EXPECT_TRUE(model) << (model ? "" : model.error().what);
    return model ? std::move(*model) : nullptr;
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

}  // namespace
}  // namespace pensieve::manage
