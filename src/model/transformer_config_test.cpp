// Defaults, per-layer lists and the refusal of every unbelievable hyper-parameter.
#include "model/transformer_config.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Metadata small_model() {
  Metadata metadata;
  metadata.set("general.architecture", std::string("llama"));
  metadata.set("llama.block_count", std::uint64_t{2});
  metadata.set("llama.context_length", std::uint64_t{4096});
  metadata.set("llama.embedding_length", std::uint64_t{64});
  metadata.set("llama.feed_forward_length", std::uint64_t{128});
  metadata.set("llama.attention.head_count", std::uint64_t{4});
  metadata.set("llama.attention.layer_norm_rms_epsilon", 1e-5);
  metadata.set("llama.vocab_size", std::uint64_t{100});
  return metadata;
}

TransformerConfig read(const Metadata& metadata) {
  Result<TransformerConfig> config = TransformerConfig::read(metadata);
  EXPECT_TRUE(config) << config.error().what;
  return config ? *config : TransformerConfig{};
}

std::string refusal(const std::string& key, MetadataValue value) {
  Metadata metadata = small_model();
  metadata.set("llama." + key, std::move(value));
  const Result<TransformerConfig> config = TransformerConfig::read(metadata);
  return config ? "accepted" : config.error().what;
}

TEST(TransformerConfig, FillsInWhatFilesLeaveOut) {
  const TransformerConfig config = read(small_model());
  EXPECT_EQ(config.layers.size(), 2U);
  EXPECT_EQ(config.layers[1].kv_heads, 4);
  EXPECT_EQ(config.key_width, 16);
  EXPECT_EQ(config.value_width, 16);
  EXPECT_EQ(config.rope.head_width, 16);
  EXPECT_EQ(config.rope.rotary_width, 16);
  EXPECT_EQ(config.rope.base, 10000.0F);
  EXPECT_EQ(config.rope.scaling, RopeParams::Scaling::none);
  EXPECT_EQ(config.attention_scale, 0.25F);
  EXPECT_EQ(config.vocabulary, 100);
}

TEST(TransformerConfig, TheTokenizersListIsTheVocabulary) {
  Metadata metadata = small_model();
  metadata.set("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "c"});
  EXPECT_EQ(read(metadata).vocabulary, 3);
}

TEST(TransformerConfig, TakesOneValueForEachLayer) {
  Metadata metadata = small_model();
  metadata.set("llama.attention.head_count_kv", std::vector<std::int64_t>{2, 1});
  metadata.set("llama.feed_forward_length", std::vector<std::int64_t>{128, 256});
  const TransformerConfig config = read(metadata);
  EXPECT_EQ(config.layers[0].kv_heads, 2);
  EXPECT_EQ(config.layers[1].kv_heads, 1);
  EXPECT_EQ(config.layers[1].feed_forward, 256);
  EXPECT_THAT(refusal("attention.head_count", std::vector<std::int64_t>{4, 4, 4}),
              HasSubstr("lists 3 values for 2 layers"));
  EXPECT_THAT(refusal("attention.head_count", std::vector<std::int64_t>{4, 0}), HasSubstr("head_count is 0"));
}

TEST(TransformerConfig, ReadsRopeScaling) {
  Metadata metadata = small_model();
  metadata.set("llama.rope.scaling.type", std::string("linear"));
  metadata.set("llama.rope.scaling.factor", 4.0);
  EXPECT_EQ(read(metadata).rope.scaling, RopeParams::Scaling::linear);
  EXPECT_EQ(read(metadata).rope.scale_factor, 4.0F);

  metadata.set("llama.rope.scaling.type", std::string("yarn"));
  metadata.set("llama.rope.scaling.original_context_length", std::uint64_t{1024});
  const RopeParams yarn = read(metadata).rope;
  EXPECT_EQ(yarn.scaling, RopeParams::Scaling::yarn);
  EXPECT_EQ(yarn.original_context, 1024);
  EXPECT_FLOAT_EQ(yarn.attention_factor, 1.0F + 0.1F * std::log(4.0F));

  metadata.set("llama.rope.scaling.type", std::string("none"));
  EXPECT_EQ(read(metadata).rope.scaling, RopeParams::Scaling::none);

  Metadata old = small_model();
  old.set("llama.rope.scale_linear", 2.0);
  EXPECT_EQ(read(old).rope.scale_factor, 2.0F);
  EXPECT_THAT(refusal("rope.scaling.factor", 0.5), HasSubstr("at least 1"));
}

TEST(TransformerConfig, RefusesUnbelievableValues) {
  using Limits = std::numeric_limits<double>;
  for (const std::int64_t layers :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1025}, std::int64_t{1} << 62}) {
    EXPECT_THAT(refusal("block_count", layers), HasSubstr("llama.block_count is"));
  }
  EXPECT_THAT(refusal("block_count", std::string("two")), HasSubstr("llama.block_count holds a text"));
  EXPECT_THAT(refusal("block_count", ~std::uint64_t{0}), HasSubstr("llama.block_count"));
  EXPECT_THAT(refusal("embedding_length", std::int64_t{0}), HasSubstr("embedding_length is 0"));
  EXPECT_THAT(refusal("embedding_length", std::int64_t{65}), HasSubstr("not a multiple"));
  EXPECT_THAT(refusal("context_length", std::int64_t{-5}), HasSubstr("context_length"));
  EXPECT_THAT(refusal("attention.head_count", std::int64_t{0}), HasSubstr("head_count is 0"));
  EXPECT_THAT(refusal("attention.head_count_kv", std::int64_t{3}), HasSubstr("cannot share"));
  EXPECT_THAT(refusal("attention.key_length", std::int64_t{1} << 40), HasSubstr("key_length"));
  EXPECT_THAT(refusal("attention.layer_norm_rms_epsilon", Limits::quiet_NaN()), HasSubstr("epsilon is nan"));
  EXPECT_THAT(refusal("rope.freq_base", Limits::infinity()), HasSubstr("freq_base is inf"));
  EXPECT_THAT(refusal("rope.freq_base", -1.0), HasSubstr("freq_base is -1"));
  EXPECT_THAT(refusal("rope.dimension_count", std::int64_t{17}), HasSubstr("dimension_count is 17"));
  EXPECT_THAT(refusal("rope.dimension_count", std::int64_t{7}), HasSubstr("odd"));
  EXPECT_THAT(refusal("vocab_size", std::int64_t{0}), HasSubstr("vocab_size is 0"));
  EXPECT_THAT(refusal("expert_count", std::int64_t{-1}), HasSubstr("expert_count"));
}

TEST(TransformerConfig, NamesAllThatIsMissing) {
  Metadata metadata;
  metadata.set("general.architecture", std::string("llama"));
  const Result<TransformerConfig> config = TransformerConfig::read(metadata);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().what, HasSubstr("llama.block_count is missing"));
  EXPECT_THAT(config.error().what, HasSubstr("llama.embedding_length is missing"));
  EXPECT_THAT(config.error().what, HasSubstr("layer_norm_rms_epsilon is missing"));
}

}  // namespace
}  // namespace pensieve::model
