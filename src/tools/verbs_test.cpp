// The verbs that scripts drive, over a tiny model whose numbers are known: its weights make all logits equal.
#include <gmock/gmock.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "model/tiny_llama_for_test.h"
#include "tools/command_line.h"
#include "tools/temporary_home_for_test.h"
#include "tools/verb.h"
#include "util/json.h"

namespace pensieve::tools {
namespace {

using testing::HasSubstr;
using util::Json;

class VerbsTest : public testing::Test {
 protected:
  VerbsTest() {
    model::testing::TinyLlama tiny;
    tiny.extra = [](model::testing::GgufWriter& file) {
      file.text("tokenizer.chat_template",
                "{{ bos_token }}{{ messages[0].content }}{{ raise_exception('no') if tools }}");
    };
    model_ = home_.write("tiny.gguf", model::testing::tiny_llama(tiny).bytes);
  }

  int run(std::vector<std::string> words, const std::string& input = "") {
    words.insert(words.begin(), "pensieve");
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    std::istringstream in(input);
    std::streambuf* const before = std::cin.rdbuf(in.rdbuf());
    testing::internal::CaptureStdout();
    const int code = run_command_line(static_cast<int>(arguments.size()), arguments.data());
    std::fflush(stdout);
    out_ = testing::internal::GetCapturedStdout();
    std::cin.rdbuf(before);
    return code;
  }
  std::vector<Json> lines() const {
    std::vector<Json> parsed;
    std::istringstream in(out_);
    for (std::string line; std::getline(in, line);) parsed.push_back(Json::parse(line));
    return parsed;
  }
  std::vector<float> floats(const std::string& name) const {
    std::ifstream in(home_.folder() / name, std::ios::binary);
    std::stringstream bytes;
    bytes << in.rdbuf();
    std::vector<float> values(bytes.str().size() / sizeof(float));
    std::memcpy(values.data(), bytes.str().data(), values.size() * sizeof(float));
    return values;
  }

  testing_support::TemporaryHome home_;
  std::string model_, out_;
};

TEST_F(VerbsTest, TokenizeBothWays) {
  ASSERT_EQ(run({"tokenize", "--model", model_},
                "{\"text\":\"Hi<|end|>\",\"parse_special\":true,\"add_special\":false}\n{\"hex\":\"4\"}\n{}"
                "\n{\"text\":\"<|end|>\",\"parse_special\":false,\"add_special\":false}\n"),
            kDone);
  ASSERT_EQ(lines().size(), 4U);
  const Json ids = lines()[0]["ids"];
  ASSERT_EQ(ids.size(), 3U);
  EXPECT_EQ(ids[2], 257);
  EXPECT_TRUE(lines()[1].contains("error"));
  EXPECT_TRUE(lines()[2].contains("error"));
  EXPECT_EQ(lines()[3]["ids"].size(), 7U);
  ASSERT_EQ(run({"tokenize", "--model", model_, "--decode"},
                Json{{"ids", ids}, {"special", true}}.dump() + "\n" +
                    Json{{"ids", ids}, {"special", false}}.dump() + "\n"),
            kDone);
  EXPECT_EQ(lines()[0]["text"], "Hi<|end|>");
  EXPECT_EQ(lines()[1]["text"], "Hi");
}

TEST_F(VerbsTest, TemplateRendersAndAnswersErrors) {
  ASSERT_EQ(run({"template", "--model", model_},
                "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}\n{\"messages\":[{\"content\":\"x\"}],"
                "\"tools\":[1]}\n{}\n"),
            kDone);
  EXPECT_EQ(lines()[0]["text"], "<|begin|>x");
  EXPECT_THAT(lines()[1]["error"].get<std::string>(), HasSubstr("no"));
  EXPECT_TRUE(lines()[2].contains("error"));
  const std::string file =
      home_.write("t.jinja", "{{ greeting }} {{ strftime_now('%Y') }} {{ tools is none }}");
  ASSERT_EQ(run({"template", "--file", file, "--time", "2026-01-02 00:00:00"},
                "{\"messages\":[],\"kwargs\":{\"greeting\":\"hey\"}}\n"),
            kDone);
  EXPECT_EQ(lines()[0]["text"], "hey 2026 True");
}

TEST_F(VerbsTest, EvalWritesLogitsWhateverTheChunks) {
  const auto line = [&](const char* name, bool all) {
    return Json{{"ids", {1, 2, 3, 4, 5, 6, 7}},
                {"output", (home_.folder() / name).string()},
                {"all", all},
                {"greedy", 3}}
               .dump() +
           "\n";
  };
  ASSERT_EQ(
      run({"eval", "--model", model_, "--backend", "reference", "--threads", "1"},
          line("last", false) + line("all", true) +
              "{\"ids\":[]}\n{\"ids\":[1],\"pool\":true}\n{\"ids\":[1],\"output\":\"/nonexistent/x\"}\n"),
      kDone);
  ASSERT_EQ(lines().size(), 5U);
  EXPECT_EQ(lines()[0]["argmax"], 0);
  EXPECT_EQ(lines()[0]["greedy"], Json::parse("[0,0,0]"));
  for (std::size_t i = 2; i < 5; ++i) EXPECT_TRUE(lines()[i].contains("error"));
  EXPECT_EQ(floats("last").size(), 258U);
  EXPECT_EQ(floats("all").size(), 7U * 258U);
  ASSERT_EQ(run({"eval", "--model", model_, "--backend", "reference", "--batch", "2"}, line("chunks", true)),
            kDone);
  EXPECT_EQ(floats("chunks"), floats("all"));
}

TEST_F(VerbsTest, EvalRefusesWhatItCannotRun) {
  model::testing::TinyLlama words;
  words.vocabulary_only = true;
  const std::string vocabulary = home_.write("words.gguf", model::testing::tiny_llama(words).bytes);
  EXPECT_EQ(run({"eval", "--model", vocabulary}), kRefused);
  EXPECT_EQ(run({"tokenize", "--model", vocabulary}, "{\"text\":\"a\"}\n"), kDone);
  EXPECT_EQ(run({"eval", "--model", model_, "--backend", "metal"}), kRefused);
}

TEST_F(VerbsTest, PerplexityOfEqualLogitsIsTheVocabulary) {
  const std::string text = home_.write("text.txt", std::string(100, 'a'));
  ASSERT_EQ(run({"perplexity", "--model", model_, "--file", text, "--context", "16", "--backend", "reference",
                 "--json"}),
            kDone);
  const Json result = lines().front();
  EXPECT_NEAR(result["perplexity"].get<double>(), 258.0, 1e-6);
  EXPECT_EQ(result["chunks"], 6);
  EXPECT_EQ(result["tokens"], 6 * 7);  // of 16 tokens, rows 8 to 14 predict
  EXPECT_EQ(
      run({"perplexity", "--model", model_, "--file", text, "--context", "64", "--backend", "reference"}),
      kUsage);
}

TEST_F(VerbsTest, BenchSaysWhatItMeasured) {
  ASSERT_EQ(run({"bench", "--model", model_, "--backend", "reference", "--threads", "1", "--prompt", "8",
                 "--generate", "2", "--depth", "3", "--parallel", "2", "--repeat", "2", "--json"}),
            kDone);
  const Json result = lines().front();
  for (const char* rate : {"prompt_tokens_per_second", "generate_tokens_per_second"}) {
    EXPECT_GT(result[rate]["min"].get<double>(), 0);
    EXPECT_LE(result[rate]["min"].get<double>(), result[rate]["median"].get<double>());
    EXPECT_LE(result[rate]["median"].get<double>(), result[rate]["max"].get<double>());
  }
  EXPECT_GT(result["read_bandwidth"]["bytes_per_step"].get<double>(), 0);
  EXPECT_FALSE(result["machine"].empty());
  EXPECT_FALSE(result["build"]["compiler"].get<std::string>().empty());
  ASSERT_EQ(run({"bench", "--model", model_, "--backend", "null", "--prompt", "0", "--generate", "4",
                 "--repeat", "1", "--json"}),
            kDone);
  EXPECT_TRUE(lines().front()["prompt_tokens_per_second"].is_null());
  EXPECT_EQ(run({"bench", "--model", model_, "--prompt", "0", "--generate", "0"}), kUsage);
}

TEST_F(VerbsTest, ShowAndListKnowTheFile) {
  ASSERT_EQ(run({"show", model_, "--json", "--backend", "reference"}), kDone);
  const Json shown = lines().front();
  EXPECT_EQ(shown["architecture"], "llama");
  EXPECT_EQ(shown["tensors"].size(), 20U);
  EXPECT_EQ(shown["metadata"]["llama.block_count"], 2);
  EXPECT_EQ(shown["metadata"]["tokenizer.ggml.tokens"]["count"], 258);
  EXPECT_GT(shown["memory"]["total"].get<std::int64_t>(), 0);
  ASSERT_EQ(run({"show", model_, "--json", "--full"}), kDone);
  EXPECT_EQ(lines().front()["metadata"]["tokenizer.ggml.tokens"].size(), 258U);
  ASSERT_EQ(run({"list", "--models-dir", home_.folder().string(), "--json"}), kDone);
  EXPECT_EQ(lines().front()["models"][0]["name"], "tiny");
}

TEST_F(VerbsTest, RunAnswersOnceAndNamesWorkAsWellAsPaths) {
  EXPECT_EQ(run({"run", "tiny", "hello", "--models-dir", home_.folder().string(), "--backend", "null",
                 "--max-tokens", "5", "--seed", "1"}),
            kDone);
  EXPECT_FALSE(out_.empty());
  EXPECT_EQ(run({"run", model_, "hello", "--raw", "--backend", "null", "--max-tokens", "5"}), kDone);
  EXPECT_EQ(run({"run", model_, std::string(500, 'x'), "--raw", "--backend", "null"}), kFailed);
}

TEST_F(VerbsTest, QuantizeWritesAFileThatLoadsWithItsMetadata) {
  const std::string out = (home_.folder() / "small.gguf").string();
  ASSERT_EQ(run({"quantize", model_, out, "q4_k_m", "--json"}), kDone);
  EXPECT_EQ(lines().front()["notes"].size(), 15U) << "rows of 32 and 64 hold no block of 256";
  ASSERT_EQ(run({"show", out, "--json", "--backend", "reference"}), kDone);
  const Json shown = lines().front();
  EXPECT_EQ(shown["metadata"]["llama.block_count"], 2);
  EXPECT_EQ(shown["metadata"]["tokenizer.ggml.tokens"]["count"], 258);
  EXPECT_EQ(shown["tensors"].size(), 20U);
  EXPECT_EQ(run({"eval", "--model", out}, "{\"ids\":[1,2]}\n"), kDone);
}

TEST_F(VerbsTest, QuantizeRefusesUnknownTypesAndExistingFiles) {
  const std::string out = home_.write("there.gguf", "mine");
  EXPECT_EQ(run({"quantize", model_, out, "q8_0"}), kUsage);
  EXPECT_EQ(std::filesystem::file_size(out), 4U);
  EXPECT_EQ(run({"quantize", model_, (home_.folder() / "new.gguf").string(), "q9_9"}), kUsage);
  EXPECT_EQ(run({"quantize", out, (home_.folder() / "new.gguf").string(), "q8_0"}), kRefused);
  EXPECT_EQ(run({"quantize", model_, "/nonexistent/new.gguf", "q8_0"}), kFailed);
  EXPECT_FALSE(std::filesystem::exists(home_.folder() / "new.gguf"));
}

TEST_F(VerbsTest, DoctorNamesWhatWouldRunAModel) {
  ASSERT_EQ(run({"doctor", model_, "--backend", "reference", "--json"}), kDone);
  const Json result = lines().front();
  EXPECT_EQ(result["model"]["linear_weights"]["q4_1"], 15);
  EXPECT_TRUE(result["model"]["unsupported"].empty());
  EXPECT_GE(result["backends"].size(), 2U);
  EXPECT_GT(result["machine"]["usable_cores"].get<int>(), 0);
}

}  // namespace
}  // namespace pensieve::tools
