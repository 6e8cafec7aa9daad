// Both languages of the configuration file: the same values, and for whatever is wrong the line where it
// stands.
#include "manage/config/file.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "manage/config/log_options.h"
#include "manage/config/watch.h"
#include "manage/pool_options.h"

namespace pensieve::manage {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Apply = std::vector<Error> (*)(Schema&, std::string_view, const std::string&);

struct Settings {
  LogOptions log;
  PoolOptions pool;
  Schema schema;
  Settings() {
    schema.add("log", kLogOptions, log, "log-");
    schema.add("pool", kPoolOptions, pool, "pool-");
    schema.ignore_section("elsewhere");
  }
};

std::string only_problem(Apply apply, std::string_view text) {
  Settings settings;
  const std::vector<Error> problems = apply(settings.schema, text, "file");
  EXPECT_EQ(problems.size(), 1U) << text;
  return problems.empty() ? "" : problems.front().what;
}

TEST(ConfigFileTest, BothLanguagesGiveTheSameValues) {
  constexpr std::string_view kToml =
      "[log]\nlevel = 'debug'\n\n[pool]\nidle_seconds = 0x10\npinned = ['a', 'b']\n[elsewhere]\nx = 1\n";
  constexpr std::string_view kYaml =
      "# as above\nlog:\n  level: debug\npool: {idle_seconds: 0x10, pinned: [a, \"b\"]}\nelsewhere: {x: 1}\n";
  for (const auto& [apply, text] :
       {std::pair<Apply, std::string_view>{&apply_toml, kToml}, {&apply_yaml, kYaml}}) {
    Settings settings;
    for (const Error& problem : apply(settings.schema, text, "file")) ADD_FAILURE() << problem.what;
    EXPECT_EQ(settings.log.level, "debug");
    EXPECT_EQ(settings.pool.idle_seconds, 16);
    EXPECT_THAT(settings.pool.pinned, testing::ElementsAre("a", "b"));
    EXPECT_EQ(settings.schema.find("log", "level")->source, Source::file);
    EXPECT_THAT(settings.schema.find("log", "level")->origin, HasSubstr("file:"));
  }
}

TEST(ConfigFileTest, EmptyFilesAndSectionsSetNothing) {
  for (const std::string_view text : {"", "\n# nothing\n", "log:\n", "---\n...\n"}) {
    Settings settings;
    EXPECT_TRUE(apply_yaml(settings.schema, text, "file").empty()) << text;
  }
}

TEST(ConfigFileTest, YamlProblemsNameLineKeyAndRemedy) {
  EXPECT_THAT(
      only_problem(&apply_yaml, "log:\n  levle: info\n"),
      AllOf(HasSubstr("file:2:"), HasSubstr("did you mean 'level'"), HasSubstr("keys are level, format")));
  EXPECT_THAT(only_problem(&apply_yaml, "\nlgo:\n  level: info\n"),
              AllOf(HasSubstr("file:2:"), HasSubstr("sections are log, pool")));
  EXPECT_THAT(only_problem(&apply_yaml, "idle_seconds: 5\n"), HasSubstr("belongs into [pool]"));
  EXPECT_THAT(only_problem(&apply_yaml, "log:\n  level: loud\n"),
              AllOf(HasSubstr("file:2"), HasSubstr("'loud'"), HasSubstr("debug, info, warn")));
  EXPECT_THAT(only_problem(&apply_yaml, "pool:\n  idle_seconds: -1\n"),
              HasSubstr("expected an integer from 0"));
  EXPECT_THAT(only_problem(&apply_yaml, "pool:\n  idle_seconds: soon\n"), HasSubstr("expected an integer"));
  EXPECT_THAT(only_problem(&apply_yaml, "pool:\n  idle_seconds: .nan\n"), HasSubstr("file:2"));
  EXPECT_THAT(only_problem(&apply_yaml, "pool:\n  pinned: [a, [b]]\n"), HasSubstr("mixed list"));
  EXPECT_THAT(only_problem(&apply_yaml, "pool: 5\n"), HasSubstr("is a section"));
  EXPECT_THAT(only_problem(&apply_yaml, "- pool\n"), HasSubstr("file:1"));
  EXPECT_THAT(only_problem(&apply_yaml, "log: {level: info\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(only_problem(&apply_yaml, "log:\n  level: \"\xff\"\n"),
              AllOf(HasSubstr("file:2"), HasSubstr("UTF-8")));
}

TEST(ConfigFileTest, WhatCouldMultiplyOrHideInYamlIsRefused) {
  EXPECT_THAT(only_problem(&apply_yaml, "log:\n  level: info\n  level: debug\n"),
              AllOf(HasSubstr("file:3"), HasSubstr("line 2")));
  EXPECT_THAT(only_problem(&apply_yaml, "log: &a\n  level: info\npool: *a\n"),
              AllOf(HasSubstr("file:3"), HasSubstr("alias")));
  EXPECT_THAT(only_problem(&apply_yaml, "log:\n  <<: {level: info}\n"), HasSubstr("merge keys"));
  EXPECT_THAT(only_problem(&apply_yaml, "log:\n  level: !!python/object info\n"), HasSubstr("tag"));
  EXPECT_THAT(only_problem(&apply_yaml, "log: {}\n---\nlog: {}\n"), HasSubstr("second document"));
  EXPECT_THAT(only_problem(&apply_yaml, std::string(5000, '[')), HasSubstr("file:1"));
  EXPECT_THAT(only_problem(&apply_yaml, "pool:\n  ? [a, b]\n  : 1\n"), HasSubstr("single word"));
  EXPECT_THAT(only_problem(&apply_yaml, std::string(2 << 20, '#')),
              HasSubstr("too many for a configuration"));
  std::string many = "pool:\n  pinned: [";
  for (int i = 0; i < 30'000; ++i) many += "a,";
  EXPECT_THAT(only_problem(&apply_yaml, many + "a]\n"), HasSubstr("too many values"));
}

// Deterministic damage: the same files in every run.
class Damage {
 public:
  std::string operator()(std::string text) {
    constexpr std::string_view kBytes = "[]{}:,#&*!|>'\"%@`-=\n\t 0a\xff\\<.~?";
    for (std::uint32_t times = next() % 6 + 1; times > 0 && !text.empty(); --times) {
      const std::size_t at = next() % text.size();
      switch (next() % 5) {
        case 0:
          text[at] = kBytes[next() % kBytes.size()];
          break;
        case 1:
          text.insert(at, 1, kBytes[next() % kBytes.size()]);
          break;
        case 2:
          text.erase(at, next() % 8 + 1);
          break;
        case 3:
          text.insert(at, text.substr(next() % text.size(), next() % 32));
          break;
        default:
          text[at] = static_cast<char>(next());
      }
    }
    return text;
  }

 private:
  std::uint32_t next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::uint32_t>(state_ >> 33);
  }
  std::uint64_t state_ = 42;
};

TEST(ConfigFileTest, TenThousandDamagedFilesOfEachKindGiveErrorsWithLines) {
  constexpr std::string_view kToml =
      "# models\n[pool]\nidle_seconds = 300\nmemory_bytes = 8_000_000_000\npinned = [\"a\", 'b']\n\n[log]\n"
      "level = \"info\"\nformat = \"\"\"json\"\"\"\n[elsewhere]\nwhen = 2026-01-02T03:04:05Z\nx.y = { z = "
      "1.5e3 }\n";
  constexpr std::string_view kYaml =
      "# models\npool:\n  idle_seconds: 300\n  memory_bytes: 8000000000\n  pinned:\n    - a\n    - 'b'\nlog: "
      "{level: "
      "info,\n      format: \"json\"}\nelsewhere:\n  text: |\n    lines\n    more\n  folded: >-\n    x\n  ? "
      "k\n  : v\n";
  for (const auto& [apply, text] :
       {std::pair<Apply, std::string_view>{&apply_toml, kToml}, {&apply_yaml, kYaml}}) {
    Damage damage;
    int refused = 0;
    for (int i = 0; i < 10'000; ++i) {
      const std::string bad = damage(std::string(text));
      Settings settings;
      const std::vector<Error> problems = apply(settings.schema, bad, "file");
      refused += problems.empty() ? 0 : 1;
      for (const Error& problem : problems) {
        ASSERT_TRUE(problem.what.starts_with("file:")) << problem.what << "\n" << bad;
        const int line = std::atoi(problem.what.c_str() + 5);
        ASSERT_GE(line, 1) << problem.what << "\n" << bad;
        ASSERT_LE(line, std::count(bad.begin(), bad.end(), '\n') + 2) << problem.what << "\n" << bad;
      }
    }
    EXPECT_GT(refused, 5000);
  }
}

class WatchTest : public testing::Test {
 protected:
  WatchTest() {
    char pattern[] = "/tmp/pensieve-watch-XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  ~WatchTest() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ / name) << text; }
  std::filesystem::path folder_;
};

TEST_F(WatchTest, SeesWritesAndReplacementsOfItsFileOnly) {
  write("c.toml", "a");
  Result<FileWatch> watch = FileWatch::open((folder_ / "c.toml").string());
  ASSERT_TRUE(watch) << watch.error().what;
  EXPECT_FALSE(watch->changed());
  write("other.toml", "b");
  EXPECT_FALSE(watch->changed());
  write("c.toml", "longer");
  EXPECT_TRUE(watch->changed());
  EXPECT_FALSE(watch->changed());
  write("new", "replaced");
  std::filesystem::rename(folder_ / "new", folder_ / "c.toml");
  EXPECT_TRUE(watch->changed());
  std::filesystem::remove(folder_ / "c.toml");
  EXPECT_FALSE(watch->changed()) << "a file that is gone leaves its values in force";
  EXPECT_FALSE(FileWatch::open("/no/such/folder/c.toml"));
}

}  // namespace
}  // namespace pensieve::manage
