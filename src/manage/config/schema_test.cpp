// Precedence, refusals and their messages, over option tables like those of the modules.
#include "manage/config/schema.h"

#include <gmock/gmock.h>

#include <array>

#include "manage/config/environment.h"
#include "manage/config/file.h"
#include "manage/config/report.h"

namespace pensieve::manage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

struct NetOptions {
  std::string host = "127.0.0.1";
  std::int64_t port = 7777;
  std::vector<std::string> api_key;
  bool verbose = false;
};
struct RunOptions {
  std::string kv_type = "f16";
  double share = 0.5;
};
constexpr std::array<std::string_view, 2> kTypes{"f16", "q8_0"};
constexpr std::array kNet{
    Option<NetOptions>{.key = "host", .member = &NetOptions::host, .help = "address"},
    Option<NetOptions>{.key = "port",
                       .member = &NetOptions::port,
                       .help = "port",
                       .unit = "",
                       .minimum = 0,
                       .maximum = 65535},
    Option<NetOptions>{.key = "api_key", .member = &NetOptions::api_key, .help = "key", .secret = true},
    Option<NetOptions>{.key = "verbose", .member = &NetOptions::verbose, .help = "more"},
};
constexpr std::array kRun{
    Option<RunOptions>{.key = "kv_type", .member = &RunOptions::kv_type, .help = "type", .allowed = kTypes},
    Option<RunOptions>{.key = "share",
                       .member = &RunOptions::share,
                       .help = "part",
                       .unit = "parts",
                       .minimum = 0,
                       .maximum = 1},
};

class SchemaTest : public testing::Test {
 protected:
  SchemaTest() {
    schema.add("server", kNet, net);
    schema.add("engine", kRun, run, "engine-");
  }
  std::string only_problem(std::string_view toml) {
    const std::vector<Error> problems = apply_toml(schema, toml, "p.toml");
    EXPECT_THAT(problems, SizeIs(1));
    return problems.empty() ? "" : problems.front().what;
  }
  NetOptions net;
  RunOptions run;
  Schema schema;
};

TEST_F(SchemaTest, FileFillsTheStructs) {
  EXPECT_THAT(apply_toml(schema,
                         "[server]\nhost = \"0.0.0.0\"\nport = 8080\napi_key = [\"a\", \"b\"]\nverbose = "
                         "true\n[engine]\nkv_type = 'q8_0'\nshare = 1\n",
                         "p.toml"),
              IsEmpty());
  EXPECT_EQ(net.host, "0.0.0.0");
  EXPECT_EQ(net.port, 8080);
  EXPECT_THAT(net.api_key, ElementsAre("a", "b"));
  EXPECT_TRUE(net.verbose);
  EXPECT_EQ(run.kv_type, "q8_0");
  EXPECT_EQ(run.share, 1.0);
  EXPECT_EQ(schema.find("server", "port")->origin, "p.toml:3");
}

TEST_F(SchemaTest, OneTextIsAListOfOne) {
  EXPECT_THAT(apply_toml(schema, "[server]\napi_key = 'solo'\n", "p.toml"), IsEmpty());
  EXPECT_THAT(net.api_key, ElementsAre("solo"));
}

TEST_F(SchemaTest, FlagWinsOverEnvironmentOverFileInAnyOrder) {
  ASSERT_TRUE(Schema::assign_text(*schema.find_flag("port"), "1", Source::flag, "--port"));
  const char* environment[] = {"PENSIEVE_SERVER_PORT=2", "PENSIEVE_SERVER_HOST=two", "HOME=/", nullptr};
  EXPECT_THAT(apply_environment(schema, environment), IsEmpty());
  EXPECT_THAT(apply_toml(schema, "[server]\nport = 3\nhost = 'three'\nverbose = true\n", "p.toml"),
              IsEmpty());
  EXPECT_EQ(net.port, 1);
  EXPECT_EQ(net.host, "two");
  EXPECT_TRUE(net.verbose);
  const std::string text = explain_text(schema);
  EXPECT_THAT(text, HasSubstr("flag --port"));
  EXPECT_THAT(text, HasSubstr("environment PENSIEVE_SERVER_HOST"));
  EXPECT_THAT(text, HasSubstr("file p.toml:4"));
  EXPECT_THAT(text, HasSubstr("default"));
}

TEST_F(SchemaTest, UnknownKeyNamesFileLineAndNearest) {
  const std::string what = only_problem("[server]\n\nprot = 1\n");
  EXPECT_THAT(what, HasSubstr("p.toml:3"));
  EXPECT_THAT(what, HasSubstr("'prot'"));
  EXPECT_THAT(what, HasSubstr("did you mean 'port'"));
}

TEST_F(SchemaTest, UnknownSectionNamesNearest) {
  EXPECT_THAT(only_problem("[sever]\nport = 1\n"), HasSubstr("did you mean 'server'"));
}

TEST_F(SchemaTest, KeyOfAnotherSectionIsSentThere) {
  EXPECT_THAT(only_problem("[engine]\nport = 1\n"), HasSubstr("belongs into [server]"));
  EXPECT_THAT(only_problem("port = 1\n"), HasSubstr("belongs into [server]"));
}

TEST_F(SchemaTest, BadValuesNameWhatIsAllowed) {
  EXPECT_THAT(only_problem("[server]\nport = 70000\n"),
              HasSubstr("p.toml:2: server.port is 70000, expected an integer from 0 to 65535"));
  EXPECT_THAT(only_problem("[server]\nport = '80'\n"), HasSubstr("is '80', expected an integer"));
  EXPECT_THAT(only_problem("[server]\nport = 80.5\n"), HasSubstr("expected an integer"));
  EXPECT_THAT(only_problem("[server]\nverbose = 1\n"), HasSubstr("expected true or false"));
  EXPECT_THAT(only_problem("[engine]\nkv_type = 'q9'\n"), HasSubstr("is 'q9', expected one of f16, q8_0"));
  EXPECT_THAT(only_problem("[engine]\nshare = nan\n"), HasSubstr("expected a number from 0 to 1 parts"));
  EXPECT_THAT(only_problem("[server]\nhost = [1]\n"), HasSubstr("expected a text"));
  EXPECT_THAT(only_problem("[server]\nhost = { a = 1 }\n"), HasSubstr("expected a text"));
  EXPECT_THAT(only_problem("[server]\nhost = 1979-05-27\n"), HasSubstr("date"));
  EXPECT_EQ(net.port, 7777);
  EXPECT_EQ(run.kv_type, "f16");
}

TEST_F(SchemaTest, EveryProblemIsFound) {
  EXPECT_THAT(apply_toml(schema, "[server]\nport = -1\nhots = 'x'\n[nowhere]\n", "p.toml"), SizeIs(3));
}

TEST_F(SchemaTest, BrokenTomlNamesTheLine) {
  EXPECT_THAT(only_problem("[server]\nport = \n"), HasSubstr("p.toml:2"));
  EXPECT_THAT(only_problem("[server]\nport = 1\nport = 2\n"), HasSubstr("p.toml:3"));
}

TEST_F(SchemaTest, BadEnvironmentIsAProblem) {
  const char* environment[] = {"PENSIEVE_SERVER_PROT=1", "PENSIEVE_ENGINE_KV_TYPE=f17", "PENSIEVE_MODEL=x",
                               "PENSIEVE_BIN=y", nullptr};
  const std::vector<Error> problems = apply_environment(schema, environment);
  ASSERT_THAT(problems, SizeIs(2));
  EXPECT_THAT(problems[0].what, HasSubstr("did you mean 'PENSIEVE_SERVER_PORT'"));
  EXPECT_THAT(problems[1].what, HasSubstr("PENSIEVE_ENGINE_KV_TYPE"));
  EXPECT_THAT(problems[1].what, HasSubstr("f16, q8_0"));
}

TEST_F(SchemaTest, TextsOfNumbersAreReadStrictly) {
  Setting& port = *schema.find("server", "port");
  for (const char* bad : {"", " 1", "1 ", "0x10", "1e3", "99999999999999999999", "abc"}) {
    EXPECT_FALSE(Schema::assign_text(port, bad, Source::flag, "--port")) << bad;
  }
  EXPECT_TRUE(Schema::assign_text(*schema.find("server", "verbose"), "on", Source::flag, "--verbose"));
  EXPECT_TRUE(Schema::assign_text(*schema.find("server", "api_key"), "x,,y", Source::flag, "--api-key"));
  EXPECT_THAT(net.api_key, ElementsAre("x", "y"));
}

TEST_F(SchemaTest, SecretsAreNeverShown) {
  ASSERT_THAT(apply_toml(schema, "[server]\napi_key = ['hunter2']\n", "p.toml"), IsEmpty());
  EXPECT_THAT(explain_text(schema), testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(util::to_json(explain_json(schema)), testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(only_problem("[server]\napi_key = 17\n"), testing::Not(HasSubstr("17")));
}

TEST_F(SchemaTest, FlagsCarryTheirPrefix) {
  EXPECT_NE(schema.find_flag("engine-kv-type"), nullptr);
  EXPECT_NE(schema.find_flag("api-key"), nullptr);
  EXPECT_EQ(schema.find_flag("kv-type"), nullptr);
}

TEST_F(SchemaTest, IgnoredSectionsAreReadOver) {
  schema.ignore_section("elsewhere");
  EXPECT_THAT(apply_toml(schema, "[elsewhere]\nwhatever = 1\n", "p.toml"), IsEmpty());
}

TEST_F(SchemaTest, JsonSchemaTellsBoundsAndDefaults) {
  const util::Json document = json_schema(schema);
  const util::Json& port = document["properties"]["server"]["properties"]["port"];
  EXPECT_EQ(port["type"], "integer");
  EXPECT_EQ(port["maximum"], 65535);
  EXPECT_EQ(port["default"], 7777);
  EXPECT_EQ(port["x-environment"], "PENSIEVE_SERVER_PORT");
  EXPECT_EQ(document["properties"]["engine"]["properties"]["kv_type"]["enum"].size(), 2U);
}

TEST_F(SchemaTest, MissingFileIsAProblem) {
  EXPECT_THAT(apply_file(schema, "/nonexistent/pensieve.toml"), SizeIs(1));
}

// A configuration file is written by people, but it is read like any foreign bytes.
TEST_F(SchemaTest, SurvivesAThousandMutatedFiles) {
  const std::string good =
      "# config\n[server]\nhost = \"::1\"\nport = 0x50\napi_key = [ \"a\", 'b' ]\n[engine]\nkv_type = "
      "\"\"\"f16\"\"\"\nshare = 0.25\n";
  std::uint64_t state = 42;
  const auto random = [&state](std::size_t below) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(state >> 33) % below;
  };
  constexpr std::string_view kSpice = "[]{}=\"'\\\n.,#\0\xFF\x80u1e-";
  for (int round = 0; round < 1000; ++round) {
    std::string text = good;
    for (std::size_t edits = 1 + random(4); edits > 0; --edits) {
      const std::size_t at = random(text.size());
      switch (random(4)) {
        case 0:
          text[at] = static_cast<char>(random(256));
          break;
        case 1:
          text.erase(at, 1 + random(8));
          break;
        case 2:
          text.insert(at, std::string(1 + random(40), kSpice[random(kSpice.size())]));
          break;
        default:
          text.insert(at, text.substr(random(text.size()), random(30)));
      }
      if (text.empty()) text = "x";
    }
    for (const Error& problem : apply_toml(schema, text, "p.toml"))
      EXPECT_THAT(problem.what, HasSubstr("p.toml"));
  }
}

TEST_F(SchemaTest, DeepNestingIsRefusedNotFollowed) {
  EXPECT_THAT(apply_toml(schema, "[server]\nhost = " + std::string(100000, '['), "p.toml"), SizeIs(1));
}

}  // namespace
}  // namespace pensieve::manage
