// SafeTensors folders: names and settings as GGUF has them, tensors in another form, and folders that must be
// refused.
#include "model/formats/hf_folder.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/codec.h"
#include "model/formats/hf_config.h"
#include "model/formats/hf_names.h"
#include "model/formats/hf_repack.h"

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

TEST(HfNames, BecomeThoseOfGguf) {
  const HfRules plain;
  const auto named = [&](std::string_view name) {
    const auto found = gguf_name_of(name, plain);
    return found ? found->name : std::string("unknown");
  };
  EXPECT_EQ(named("model.embed_tokens.weight"), "token_embd.weight");
  EXPECT_EQ(named("layers.11.self_attn.q_proj.bias"), "blk.11.attn_q.bias");
  EXPECT_EQ(named("model.layers.0.mlp.gate.e_score_correction_bias"), "blk.0.exp_probs_b.bias");
  EXPECT_EQ(named("model.layers.x.mlp.gate_proj.weight"), "unknown");
  EXPECT_EQ(named("vision.patch.weight"), "unknown");
  const auto expert = gguf_name_of("model.layers.2.block_sparse_moe.experts.5.w2.weight", plain);
  ASSERT_TRUE(expert && expert->expert);
  EXPECT_EQ(expert->name, "blk.2.ffn_down_exps.weight");
  EXPECT_EQ(*expert->expert, 5);
  constexpr HfTensor own[] = {{"post_attention_layernorm", "post_attention_norm"}};
  EXPECT_EQ(gguf_name_of("model.layers.1.post_attention_layernorm.weight", HfRules{own})->name,
            "blk.1.post_attention_norm.weight");
}

TEST(HfConfig, BecomesMetadata) {
  const util::Json config = util::Json::parse(
      R"({"hidden_size":64,"num_attention_heads":4,"num_hidden_layers":2,"max_position_embeddings":2048,
          "intermediate_size":96,"rms_norm_eps":1e-6,"rope_theta":500000.0,"sliding_window":32,
          "layer_types":["sliding_attention","full_attention"],
          "rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,
                          "original_max_position_embeddings":128}})");
  Metadata metadata;
  const auto factors = add_hf_config(config, "llama", true, metadata);
  ASSERT_TRUE(factors) << factors.error().what;
  EXPECT_EQ(metadata.integer("llama.embedding_length")->value(), 64);
  EXPECT_EQ(metadata.integer("llama.attention.sliding_window")->value(), 32);
  EXPECT_EQ(metadata.text("llama.rope.pairing")->value(), "halves");
  ASSERT_EQ(factors->all.size(), 8U);
  EXPECT_FLOAT_EQ(factors->all.front(), 1.0F);
  EXPECT_FLOAT_EQ(factors->all.back(), 8.0F);
}

TEST(HfConfig, RefusesWhatItCannotSay) {
  Metadata metadata;
  const auto dynamic = add_hf_config(util::Json::parse(R"({"rope_scaling":{"type":"dynamic","factor":2.0}})"),
                                     "llama", true, metadata);
  ASSERT_FALSE(dynamic);
  EXPECT_EQ(dynamic.error().code, Error::Code::unsupported);
  EXPECT_THAT(dynamic.error().what, HasSubstr("dynamic"));
  const auto kind = add_hf_config(util::Json::parse(R"({"hidden_size":"many"})"), "llama", true, metadata);
  ASSERT_FALSE(kind);
  EXPECT_THAT(kind.error().what, HasSubstr("hidden_size must be a whole number"));
}

TEST(HfRepack, TakesFusedHeadsApart) {
  // Two key heads with one query each, rows of one byte.
  const char rows[] = {'q', 'k', 'v', 'Q', 'K', 'V'};
  const auto split = split_fused_heads(std::as_bytes(std::span(rows)), {6, 1}, 2, 1, 1);
  ASSERT_TRUE(split);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(split->data()), 6), "qQkKvV");
  EXPECT_FALSE(split_fused_heads(std::as_bytes(std::span(rows)), {6, 1}, 4, 1, 1));
}

TEST(HfRepack, DecodesFloat8) {
  const std::uint8_t bits[] = {0x00, 0x38, 0xB8, 0x7E, 0x01};  // 0, 1, -1, 448, 2^-9
  const float half[] = {0.5F};
  const SafeTensor values{"w", "F8_E4M3", {1, 5}, std::as_bytes(std::span(bits))};
  const SafeTensor scale{"s", "F32", {}, std::as_bytes(std::span(half))};
  const auto decoded = decode_float8(values, &scale);
  ASSERT_TRUE(decoded) << decoded.error().what;
  float numbers[5];
  std::memcpy(numbers, decoded->data(), sizeof numbers);
  EXPECT_THAT(numbers, ElementsAre(0.0F, 0.5F, -0.5F, 224.0F, std::ldexp(1.0F, -10)));
}

TEST(HfRepack, Mxfp4KeepsItsValues) {
  std::uint8_t blocks[16], scales[] = {127};
  for (int i = 0; i < 16; ++i) blocks[i] = static_cast<std::uint8_t>(i | (15 - i) << 4);
  const SafeTensor values{"b", "U8", {1, 1, 1, 16}, std::as_bytes(std::span(blocks))};
  const SafeTensor exponents{"s", "U8", {1, 1, 1}, std::as_bytes(std::span(scales))};
  const auto packed = repack_mxfp4(values, exponents, false, 0);
  ASSERT_TRUE(packed) << packed.error().what;
  float numbers[32];
  decode_row(*find_codec("mxfp4"), reinterpret_cast<const unsigned char*>(packed->data()), 32, numbers);
  constexpr float kValues[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6, -0.0F, -0.5F, -1, -1.5F, -2, -3, -4, -6};
  for (int i = 0; i < 16; ++i) {
    EXPECT_EQ(numbers[2 * i], kValues[i]);
    EXPECT_EQ(numbers[2 * i + 1], kValues[15 - i]);
  }
}

class HfFolderTest : public testing::Test {
 protected:
  HfFolderTest() : folder_(fs::temp_directory_path() / ("pensieve-folder-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }
  ~HfFolderTest() override { fs::remove_all(folder_); }
  void write(const char* name, const std::string& content) const { std::ofstream(folder_ / name) << content; }
  std::string refusal() const {
    const auto opened = open_hf_folder(folder_.string());
    return opened ? "opened" : opened.error().what;
  }
  fs::path folder_;
};

TEST_F(HfFolderTest, IsRefusedInWords) {
  EXPECT_FALSE(is_hf_folder(folder_.string()));
  write("config.json", "{}");
  EXPECT_TRUE(is_hf_folder(folder_.string()));
  EXPECT_THAT(refusal(), HasSubstr("does not say which architecture"));
  write("config.json", R"({"architectures":["TimeMachineForCausalLM"]})");
  EXPECT_THAT(refusal(), HasSubstr("TimeMachineForCausalLM"));
  EXPECT_THAT(refusal(), HasSubstr("LlamaForCausalLM"));
  write("config.json",
        R"({"architectures":["LlamaForCausalLM"],"quantization_config":{"quant_method":"awq"}})");
  EXPECT_THAT(refusal(), HasSubstr("awq"));
  write("config.json", R"({"architectures":["LlamaForCausalLM"]})");
  EXPECT_THAT(refusal(), HasSubstr("no tokenizer.json"));
  write("config.json", R"({"architectures":[)");
  EXPECT_THAT(refusal(), HasSubstr("config.json"));
}

}  // namespace
}  // namespace pensieve::model
