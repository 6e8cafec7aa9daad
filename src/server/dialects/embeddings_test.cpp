// Embeddings as clients send and read them: every form of input, base64, cut vectors, mistakes by name.
#include "server/dialects/embeddings.h"

#include <gtest/gtest.h>

#include <cmath>

namespace pensieve::server {
namespace {

Result<EmbeddingsCall> read(const std::string& text) {
  return parse_body(text).and_then([](const Json& body) { return read_embeddings_call(body); });
}

TEST(Embeddings, EveryFormOfInputIsRead) {
  EXPECT_EQ(read(R"({"input":"a"})")->request.inputs.size(), 1);
  EXPECT_EQ(std::get<std::string>(read(R"({"input":["a","b"]})")->request.inputs[1]), "b");
  EXPECT_EQ(std::get<1>(read(R"({"input":[3,4]})")->request.inputs.at(0)), (std::vector<std::int32_t>{3, 4}));
  EXPECT_EQ(read(R"({"input":[[3],[4]]})")->request.inputs.size(), 2);
  const auto all = read(
      R"({"model":"m","input":"a","encoding_format":"base64","dimensions":2,"truncate":true,"user":"u","x":1})");
  EXPECT_EQ(all->model, "m");
  EXPECT_TRUE(all->base64 && all->request.truncate);
  EXPECT_EQ(all->dimensions, 2);
  EXPECT_EQ(all->unknown, std::vector<std::string>{"x"});
}

TEST(Embeddings, MistakesNameTheField) {
  for (const char* input : {"null", "5", "[]", "{}", "[[]]", "[null]", "[\"a\",5]", "[1.5]", "[-1]",
                            "[[1],\"a\"]", "[1,\"a\"]"}) {
    const auto call = read("{\"input\":" + std::string(input) + "}");
    ASSERT_FALSE(call) << input;
    EXPECT_EQ(call.error().field, "input") << input;
  }
  EXPECT_EQ(read("{}").error().field, "input");
  EXPECT_EQ(read(R"({"input":"a","encoding_format":"hex"})").error().field, "encoding_format");
  EXPECT_EQ(read(R"({"input":"a","dimensions":0})").error().field, "dimensions");
  ModelInfo info;
  info.vocabulary = 5;
  EXPECT_EQ(fit_embeddings(info, *read(R"({"input":[4]})")).has_value(), true);
  EXPECT_EQ(fit_embeddings(info, *read(R"({"input":[[4],[5]]})")).error().field, "input");
}

TEST(Embeddings, Base64IsOfLittleEndianFloats) {
  EXPECT_EQ(base64_floats({}), "");
  EXPECT_EQ(base64_floats({1.0F}), "AACAPw==");
  EXPECT_EQ(base64_floats({1.0F, -2.0F}), "AACAPwAAAMA=");
  EXPECT_EQ(base64_floats({1.0F, -2.0F, 0.5F}), "AACAPwAAAMAAAAA/");
}

TEST(Embeddings, CutVectorsHaveLengthOne) {
  std::vector<std::vector<float>> vectors{{0.6F, 0.0F, 0.8F}, {0.3F, 0.4F, 0.866F}, {0.0F, 0.0F, 1.0F}};
  ASSERT_TRUE(cut_vectors(2, vectors));
  EXPECT_FLOAT_EQ(vectors[0][0], 1.0F);
  EXPECT_FLOAT_EQ(vectors[1][1], 0.8F);
  EXPECT_EQ(vectors[2], (std::vector<float>{0.0F, 0.0F}));
  EXPECT_EQ(cut_vectors(3, vectors).error().field, "dimensions");
}

TEST(Embeddings, TheReplyIsStrictJson) {
  Embeddings made{{{1.0F, 0.0F}, {NAN, 0.25F}}, 7};
  const auto call = read(R"({"input":["a","b"]})");
  const auto reply = util::parse_json(embeddings_text(made, *call, "m"));
  ASSERT_TRUE(reply) << reply.error().what;
  EXPECT_EQ((*reply)["data"][1]["index"], 1);
  EXPECT_TRUE((*reply)["data"][0]["embedding"][0].is_number_float());
  EXPECT_EQ((*reply)["data"][1]["embedding"][1], 0.25);
  EXPECT_EQ((*reply)["usage"]["total_tokens"], 7);
}

}  // namespace
}  // namespace pensieve::server
