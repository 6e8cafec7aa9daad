// Reranking as clients send and read it: both forms, order, scores, mistakes by name.
#include "server/dialects/rerank.h"

#include <gtest/gtest.h>

namespace pensieve::server {
namespace {

Result<RerankCall> read(const std::string& text) {
  return parse_body(text).and_then([](const Json& body) { return read_rerank_call(body); });
}

TEST(Rerank, BothFormsAreRead) {
  const auto call = read(
      R"({"model":"m","query":"q","documents":["a",{"text":"b"}],"top_n":1,"return_documents":true,
          "truncate":true,"x":1})");
  ASSERT_TRUE(call) << call.error().what;
  EXPECT_EQ(call->documents, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(call->top, 1);
  EXPECT_TRUE(call->return_documents && call->truncate && !call->texts);
  EXPECT_EQ(call->unknown, std::vector<std::string>{"x"});
  const EmbeddingRequest request = rerank_request(*call, "id");
  ASSERT_EQ(request.inputs.size(), 2U);
  EXPECT_EQ(std::get<TextPair>(request.inputs[1]).first, "q");
  EXPECT_EQ(std::get<TextPair>(request.inputs[1]).second, "b");
  const auto texts = read(R"({"query":"q","texts":["a"],"raw_scores":true,"return_text":true})");
  ASSERT_TRUE(texts) << texts.error().what;
  EXPECT_TRUE(texts->texts && texts->raw_scores && texts->return_documents);
}

TEST(Rerank, MistakesNameTheField) {
  EXPECT_EQ(read(R"({"documents":["a"]})").error().field, "query");
  EXPECT_EQ(read(R"({"query":"q"})").error().field, "documents");
  EXPECT_EQ(read(R"({"query":"q","documents":[]})").error().field, "documents");
  EXPECT_EQ(read(R"({"query":"q","documents":["a",5]})").error().field, "documents[1]");
  EXPECT_EQ(read(R"({"query":"q","documents":[{"txt":"a"}]})").error().field, "documents[0]");
  EXPECT_EQ(read(R"({"query":"q","documents":["a"],"texts":["a"]})").error().field, "texts");
  EXPECT_EQ(read(R"({"query":"q","documents":["a"],"top_n":0})").error().field, "top_n");
  EXPECT_EQ(read(R"({"query":5,"documents":["a"]})").error().field, "query");
}

TEST(Rerank, TheBestStandsFirst) {
  const Embeddings made{{{-1.0F}, {3.0F}, {0.0F}}, 12};
  auto call = read(R"({"query":"q","documents":["a","b","c"],"top_n":2,"return_documents":true})");
  const auto reply = util::parse_json(rerank_text(made, *call, "m", "r-1"));
  ASSERT_TRUE(reply);
  EXPECT_EQ((*reply)["object"], "list");
  EXPECT_EQ((*reply)["model"], "m");
  EXPECT_EQ((*reply)["usage"]["total_tokens"], 12);
  const Json& results = (*reply)["results"];
  ASSERT_EQ(results.size(), 2U);
  EXPECT_EQ(results[0]["index"], 1);
  EXPECT_EQ(results[0]["document"]["text"], "b");
  EXPECT_NEAR(results[0]["relevance_score"].get<double>(), 0.952574, 1e-6);
  EXPECT_EQ(results[1]["index"], 2);
  EXPECT_DOUBLE_EQ(results[1]["relevance_score"].get<double>(), 0.5);
}

TEST(Rerank, RawScoresAsAList) {
  const Embeddings made{{{-1.0F}, {3.0F}}, 12};
  const auto call = read(R"({"query":"q","texts":["a","b"],"raw_scores":true,"return_text":true})");
  const auto reply = util::parse_json(rerank_text(made, *call, "m", "r-1"));
  ASSERT_TRUE(reply && reply->is_array());
  EXPECT_EQ((*reply)[0]["text"], "b");
  EXPECT_DOUBLE_EQ((*reply)[0]["score"].get<double>(), 3.0);
  EXPECT_DOUBLE_EQ((*reply)[1]["score"].get<double>(), -1.0);
}

}  // namespace
}  // namespace pensieve::server
