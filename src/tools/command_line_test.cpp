// The command line from outside: exit codes and messages for what users mistype, without starting a process.
#include "tools/command_line.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <string>
#include <vector>

#include "tools/temporary_home_for_test.h"
#include "tools/verb.h"

namespace pensieve::tools {
namespace {

using testing::HasSubstr;

struct Outcome {
  int code = 0;
  std::string out, err;
};

Outcome run(std::vector<std::string> words) {
  words.insert(words.begin(), "pensieve");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Outcome outcome;
  outcome.code = run_command_line(static_cast<int>(arguments.size()), arguments.data());
  std::fflush(stdout);
  std::fflush(stderr);
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.err = testing::internal::GetCapturedStderr();
  return outcome;
}

class CommandLineTest : public testing::Test {
 protected:
  testing_support::TemporaryHome home_;
};

TEST_F(CommandLineTest, WithoutAVerbItShowsHelpAndFails) {
  const Outcome outcome = run({});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("tokenize"));
}

TEST_F(CommandLineTest, UnknownVerbsNameTheNearest) {
  const Outcome outcome = run({"perplexty"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean 'perplexity'?"));
}

TEST_F(CommandLineTest, EveryVerbHasHelpWithAnExample) {
  for (const Verb* verb : verbs()) {
    const Outcome outcome = run({std::string(verb->name), "--help"});
    EXPECT_EQ(outcome.code, kDone) << verb->name;
    EXPECT_THAT(outcome.out, HasSubstr("Example")) << verb->name;
    EXPECT_THAT(outcome.out, HasSubstr("pensieve " + std::string(verb->name))) << verb->name;
    EXPECT_FALSE(verb->summary.empty());
  }
}

TEST_F(CommandLineTest, VersionAndHelpSucceed) {
  EXPECT_EQ(run({"--version"}).code, kDone);
  EXPECT_THAT(run({"--version"}).out, HasSubstr("pensieve 0."));
  EXPECT_EQ(run({"--help"}).code, kDone);
}

TEST_F(CommandLineTest, WrongFlagsAreWrongUsage) {
  const Outcome unknown = run({"bench", "--model", "x.gguf", "--promt", "5"});
  EXPECT_EQ(unknown.code, kUsage);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean '--prompt'?"));
  EXPECT_EQ(run({"bench"}).code, kUsage);
  EXPECT_EQ(run({"bench", "--model", "x.gguf", "--repeat", "0"}).code, kUsage);
  EXPECT_EQ(run({"config"}).code, kUsage);
  EXPECT_EQ(run({"template"}).code, kUsage);
}

TEST_F(CommandLineTest, BadValuesNameWhatIsAllowed) {
  const Outcome outcome = run({"eval", "--model", "x.gguf", "--kv-type", "f17"});
  EXPECT_EQ(outcome.code, kUsage);
  EXPECT_THAT(outcome.err, HasSubstr("f16, f32, q8_0"));
  EXPECT_THAT(outcome.err, HasSubstr("--kv-type"));
}

TEST_F(CommandLineTest, ModelsThatAreNoneAreRefused) {
  const std::string text = home_.write("readme.gguf", "no model at all");
  for (const char* verb : {"tokenize", "eval", "bench", "template"}) {
    const Outcome outcome = run({verb, "--model", text});
    EXPECT_EQ(outcome.code, kRefused) << verb << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("pensieve: ")) << verb;
  }
  EXPECT_EQ(run({"show", text}).code, kRefused);
  EXPECT_EQ(run({"tokenize", "--model", (home_.folder() / "absent.gguf").string()}).code, kRefused);
  EXPECT_EQ(run({"tokenize", "--model", "nobody-knows-me", "--models-dir", home_.folder().string()}).code,
            kRefused);
}

TEST_F(CommandLineTest, ConfigCheckTellsFileLineAndKey) {
  const std::string bad = home_.write("bad.toml", "[engine]\ncontex = 5\n");
  const Outcome outcome = run({"config", "check", "--config", bad});
  EXPECT_EQ(outcome.code, kRefused);
  EXPECT_THAT(outcome.err, HasSubstr("bad.toml:2"));
  EXPECT_THAT(outcome.err, HasSubstr("did you mean 'context'?"));
  EXPECT_EQ(run({"bench", "--model", "x.gguf", "--config", bad}).code, kUsage);
  const std::string yaml = home_.write("bad.yaml", "engine:\n  context: 512\n  contex: 5\n");
  EXPECT_THAT(run({"config", "check", "--config", yaml}).err, HasSubstr("bad.yaml:3"));
}

#ifdef PENSIEVE_WITH_SERVER
TEST_F(CommandLineTest, WithoutAServerItsVerbsSaySo) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"ps"}, {"load", "x"}, {"unload", "x"}}) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--host", "127.0.0.1", "--port", "1"});
    const Outcome outcome = run(all);
    EXPECT_EQ(outcome.code, kUnreachable) << words.front();
    EXPECT_THAT(outcome.err, HasSubstr("http://127.0.0.1:1")) << words.front();
  }
}
#endif

TEST_F(CommandLineTest, ConfigExplainNamesSources) {
  const std::string good = home_.write("good.toml", "[engine]\ncontext = 512\nparallel = 2\n");
  const Outcome outcome =
      run({"config", "explain", "--config", good, "--parallel", "3", "--no-prefix-cache"});
  EXPECT_EQ(outcome.code, kDone) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("good.toml:2"));
  EXPECT_THAT(outcome.out, HasSubstr("flag --parallel"));
  EXPECT_THAT(outcome.out, HasSubstr("flag --prefix-cache"));
}

TEST_F(CommandLineTest, ConfigSchemaIsJson) {
  const Outcome outcome = run({"config", "schema"});
  EXPECT_EQ(outcome.code, kDone);
  EXPECT_THAT(outcome.out, HasSubstr("\"page_tokens\""));
}

TEST_F(CommandLineTest, CompletionKnowsVerbsOptionsAndValues) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome outcome = run({"completion", shell});
    EXPECT_EQ(outcome.code, kDone) << shell;
    for (const Verb* verb : verbs()) EXPECT_THAT(outcome.out, HasSubstr(std::string(verb->name))) << shell;
    EXPECT_THAT(outcome.out, HasSubstr("kv-type")) << shell;
    EXPECT_THAT(outcome.out, HasSubstr("f16 f32 q8_0")) << shell;
    EXPECT_THAT(outcome.out, HasSubstr("explain")) << shell;
  }
  EXPECT_EQ(run({"completion", "tcsh"}).code, kUsage);
}

TEST_F(CommandLineTest, BashCompletesWhatIsTyped) {
  const std::string script = home_.write("completion.bash", run({"completion", "bash"}).out);
  const auto completed = [&](const std::string& words) {
    const std::string command =
        "bash -c 'source " + script + "; COMP_WORDS=(" + words +
        "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _pensieve; echo \"${COMPREPLY[*]}\"' 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    char line[8192] = {};
    const char* got = fgets(line, sizeof(line), pipe);
    pclose(pipe);
    return std::string(got == nullptr ? "" : got);
  };
  EXPECT_EQ(completed("pensieve perp"), "perplexity\n");
  EXPECT_EQ(completed("pensieve config ex"), "explain\n");
  EXPECT_EQ(completed("pensieve config explain --kv-ty"), "--kv-type\n");
  EXPECT_EQ(completed("pensieve eval --kv-type q"), "q8_0\n");
}

TEST_F(CommandLineTest, AnEmptyFolderListsNoModels) {
  EXPECT_THAT(run({"list", "--models-dir", home_.folder().string(), "--json"}).out,
              HasSubstr("\"models\":[]"));
}

}  // namespace
}  // namespace pensieve::tools
