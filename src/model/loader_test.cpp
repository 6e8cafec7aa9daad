// From a file on disk to a LoadedModel on a device of this test, and what is said when something does not
// fit.
#include <gmock/gmock.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "model/loaded_model.h"
#include "model/tiny_llama_for_test.h"

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TinyLlama;

class AliasBuffer final : public Buffer {
 public:
  explicit AliasBuffer(std::span<const std::byte> bytes) : bytes_(bytes) {}
  std::size_t size() const override { return bytes_.size(); }
  void release_source() override {}
  std::span<const std::byte> bytes_;
};

class OwnBuffer final : public Buffer {
 public:
  explicit OwnBuffer(std::size_t size) : bytes_(size) {}
  std::size_t size() const override { return bytes_.size(); }
  void release_source() override {}
  std::vector<std::byte> bytes_;
};

// A device with memory and no arithmetic.
class MemoryOnly final : public Backend {
 public:
  const DeviceInfo& info() const override { return info_; }
  bool supports(const Graph&, const Node&, const Codec*) const override { return true; }
  Result<std::unique_ptr<Buffer>> allocate(std::size_t bytes, Memory) override {
    return std::make_unique<OwnBuffer>(bytes);
  }
  Result<std::unique_ptr<Buffer>> adopt(std::span<const std::byte> bytes) override {
    return std::make_unique<AliasBuffer>(bytes);
  }
  Result<> write(Buffer& buffer, std::size_t at, std::span<const std::byte> bytes) override {
    std::memcpy(dynamic_cast<OwnBuffer&>(buffer).bytes_.data() + at, bytes.data(), bytes.size());
    return {};
  }
  Result<> read(const Buffer&, std::size_t, std::span<std::byte>) override { return {}; }
  MemoryEstimate estimate(const Segment&, std::span<const Weight>, const PlanOptions&) const override {
    return {};
  }
  Result<std::unique_ptr<Plan>> compile(const Segment&, std::span<const Weight>,
                                        const PlanOptions&) override {
    return fail(Error::Code::unsupported, "no arithmetic");
  }

 private:
  DeviceInfo info_;
};

class Loader : public ::testing::Test {
 protected:
  Loader() {
    std::string pattern = ::testing::TempDir() + "loaderXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Loader() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& bytes) const {
    std::ofstream(folder_ / "tiny-1m.gguf", std::ios::binary) << bytes;
    return (folder_ / "tiny-1m.gguf").string();
  }
  Error refusal(const testing::GgufImage& image) {
    const Result<LoadedModel> model = load(write(image.bytes), backend_);
    return model ? Error{Error::Code::internal, "accepted", {}, {}, {}} : model.error();
  }
  std::filesystem::path folder_;
  MemoryOnly backend_;
};

TEST_F(Loader, BindsEveryWeight) {
  const std::string path = write(testing::tiny_llama().bytes);
  const Result<LoadedModel> model = load(path, backend_);
  ASSERT_TRUE(model) << model.error().what;
  ASSERT_EQ(model->weights.size(), model->graph.weights.size());
  for (std::size_t i = 0; i < model->weights.size(); ++i) {
    const Weight& weight = model->weights[i];
    const TensorInfo* tensor = model->file->find(model->graph.weights[i].name);
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(weight.shape, model->graph.weights[i].shape);
    EXPECT_EQ(weight.codec, tensor->codec);
    const auto* alias = dynamic_cast<const AliasBuffer*>(weight.bytes);
    ASSERT_NE(alias, nullptr) << "copied without need: " << tensor->name;
    EXPECT_EQ(alias->bytes_.data(), tensor->bytes.data());
  }
  EXPECT_EQ(model->tokenizer->vocabulary(), 258);
  EXPECT_EQ(model->info.name, "tiny-1m");
  EXPECT_EQ(model->info.quantization, "q4_1");
}

TEST_F(Loader, VectorsBecomeF32) {
  const Result<LoadedModel> model = load(write(testing::tiny_llama({.norm_type = 1}).bytes), backend_);
  ASSERT_TRUE(model) << model.error().what;
  const Weight& norm = model->weights[1];
  EXPECT_EQ(model->graph.weights[1].name, "blk.0.attn_norm.weight");
  EXPECT_EQ(norm.codec, find_codec("f32"));
  EXPECT_EQ(norm.bytes->size(), 32 * sizeof(float));
}

TEST_F(Loader, RefusesTensorsAtOddAddresses) {
  const Error odd = refusal(testing::tiny_llama({.extra = [](testing::GgufWriter& file) {
    file.u32("general.alignment", 1);
    file.alignment = 1;
  }}));
  EXPECT_THAT(odd.what, HasSubstr("general.alignment"));
  EXPECT_THAT(odd.what, HasSubstr("no multiple of 8"));
}

TEST_F(Loader, NamesMissingAndMisshapenTensors) {
  const Error fewer = refusal(testing::tiny_llama({.extra = [](testing::GgufWriter& file) {
    file.numbers<std::int32_t>("llama.unused", testing::kI32, {1});
    file.tensor("blk.0.attn_q_norm.weight", {8}, 0, std::string(32, '\0'));
  }}));
  EXPECT_THAT(
      fewer.what,
      HasSubstr("tiny-1m.gguf: 1 tensor does not fit the model: 'blk.0.attn_q_norm.weight' is not known"));

  testing::GgufImage renamed = testing::tiny_llama();
  renamed.bytes.replace(renamed.bytes.find("blk.1.attn_k.weight"), 19, "blk.1.attn_z.weight");
  renamed.put(renamed.field("value of llama.feed_forward_length").at, std::uint32_t{96});
  const Error error = refusal(renamed);
  EXPECT_EQ(error.code, Error::Code::invalid);
  EXPECT_THAT(error.what, HasSubstr("8 tensors do not fit"));
  EXPECT_THAT(error.what, HasSubstr("blk.0.ffn_gate.weight has shape [64, 32], expected [96, 32]"));
  EXPECT_THAT(error.what, HasSubstr("blk.1.attn_k.weight is missing"));
}

TEST_F(Loader, EmptyTensorsOfHugeSizesAreMisshapen) {
  const Error error = refusal(testing::tiny_llama({.extra = [](testing::GgufWriter& file) {
    file.tensor("rope_freqs.weight", {0, 1ULL << 40, 1ULL << 40}, 0, "");
  }}));
  EXPECT_THAT(error.what,
              HasSubstr("rope_freqs.weight has shape [1099511627776, 1099511627776, 0], expected ["));
}

TEST_F(Loader, NamesTypesThatThisBuildCannotRead) {
  testing::GgufImage image = testing::tiny_llama({.matrix_type = 26});  // i32
  const Error error = refusal(image);
  EXPECT_EQ(error.code, Error::Code::unsupported);
  EXPECT_EQ(error.reason, "model_unsupported");
  EXPECT_THAT(error.what, HasSubstr("token_embd.weight has type i32, which this build cannot read"));
}

TEST_F(Loader, ListsTheArchitecturesThereAre) {
  testing::GgufImage image = testing::tiny_llama();
  image.bytes.replace(image.bytes.find("llama"), 5, "lhama");
  const Error error = refusal(image);
  EXPECT_EQ(error.code, Error::Code::unsupported);
  EXPECT_THAT(error.what,
              HasSubstr("the architecture 'lhama' is not supported; the nearest is llama, supported are: "));
  EXPECT_THAT(error.what, HasSubstr("llama"));
}

TEST_F(Loader, AVocabularyIsNoModelButCanBeInspected) {
  const testing::GgufImage image = testing::tiny_llama({.vocabulary_only = true});
  EXPECT_THAT(refusal(image).what, HasSubstr("a vocabulary but no weights"));
  const Result<ModelInfo> info = inspect(write(image.bytes));
  ASSERT_TRUE(info) << info.error().what;
  EXPECT_EQ(info->vocabulary, 258);
  EXPECT_TRUE(info->capabilities.empty());
}

TEST_F(Loader, DamagedFilesAreRefusedBeforeAnythingElse) {
  testing::GgufImage image = testing::tiny_llama();
  image.bytes.resize(image.bytes.size() - 500);
  const Error error = refusal(image);
  EXPECT_EQ(error.code, Error::Code::invalid);
  EXPECT_EQ(error.reason, "model_invalid");
  EXPECT_THAT(error.what, HasSubstr("beyond the end of the file"));
}

TEST_F(Loader, InspectTellsWhatUsersSee) {
  const std::string path = write(testing::tiny_llama({.extra = [](testing::GgufWriter& file) {
                                   file.text("tokenizer.chat_template", "{{ tools }}<think>");
                                   file.f32("general.sampling.temp", 0.5F);
                                   file.number<std::int32_t>("general.sampling.top_k", testing::kI32, 20);
                                   file.f32("general.sampling.top_p", 7.0F);
                                 }}).bytes);
  const Result<ModelInfo> info = inspect(path);
  ASSERT_TRUE(info) << info.error().what;
  EXPECT_EQ(info->name, "tiny-1m");
  EXPECT_EQ(info->title, "Tiny");
  EXPECT_EQ(info->format, "gguf");
  EXPECT_EQ(info->architecture, "llama");
  EXPECT_EQ(info->trained_context, 128);
  EXPECT_EQ(info->layers, 2);
  EXPECT_EQ(info->embedding_width, 32);
  EXPECT_EQ(info->parameters, 258U * 32 + 2 * (32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 64 + 64) + 32);
  EXPECT_EQ(info->file_bytes, std::filesystem::file_size(path));
  EXPECT_GT(info->created, 0);
  EXPECT_THAT(info->capabilities, ElementsAre("completion", "tools", "thinking"));
  EXPECT_EQ(info->defaults.temperature, 0.5F);
  EXPECT_EQ(info->defaults.top_k, 20);
  EXPECT_EQ(info->defaults.top_p, 0.95F) << "7 is no probability";
  EXPECT_EQ(info->defaults.min_p, 0.05F) << "what the file does not say";
}

}  // namespace
}  // namespace pensieve::model
