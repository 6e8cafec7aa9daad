// What is said of files that are no GGUF, and how paths that are no files are refused.
#include "model/formats/recognise.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "model/formats/findings.h"
#include "model/loaded_model.h"
#include "model/tiny_llama_for_test.h"

namespace pensieve::model {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string described(std::string_view bytes) {
  return recognise(std::as_bytes(std::span(bytes))).description;
}

TEST(Recognise, NamesWhatPeopleHandInByMistake) {
  using std::string_view_literals::operator""sv;
  EXPECT_THAT(described(""), HasSubstr("empty"));
  EXPECT_THAT(described("PK\x03\x04rest"), HasSubstr("PyTorch"));
  EXPECT_THAT(described("\x80\x04\x95xx"), HasSubstr("pickle"));
  EXPECT_THAT(described("version https://git-lfs.github.com/spec/v1\noid sha256:00"),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(described("\n  <!DOCTYPE html><html>"), HasSubstr("web page"));
  EXPECT_THAT(described("<HTML>"), HasSubstr("web page"));
  EXPECT_THAT(described("\x02\0\0\0\0\0\0\0{}"sv), HasSubstr("SafeTensors"));
  EXPECT_THAT(described("{\"error\":\"gated\"}"), HasSubstr("JSON"));
  EXPECT_THAT(described("tjgg\x03\0\0\0"sv), HasSubstr("before GGUF"));
  EXPECT_THAT(described("\x1f\x8b\x08"), HasSubstr("gzip"));
  EXPECT_THAT(described(std::string(300, '\0')), HasSubstr("zeros"));
  EXPECT_THAT(described("\x01\x02\x03\x04\x05"), HasSubstr("01 02 03 04"));
  EXPECT_THAT(described("GG"), HasSubstr("47 47"));
}

TEST(Findings, ForeignTextIsMadeHarmless) {
  EXPECT_EQ(printable("plain é"), "'plain é'");
  EXPECT_EQ(printable("a\x1b[31m\r\n"), "'a\\x1b[31m\\x0d\\x0a'");
  EXPECT_EQ(printable("\xff\xc2\x85"), "'\\xff\\xc2\\x85'");
  EXPECT_THAT(printable(std::string(500, 'x')), HasSubstr("(500 bytes)"));
}

class OpenModelFile : public ::testing::Test {
 protected:
  OpenModelFile() {
    std::string pattern = ::testing::TempDir() + "openXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~OpenModelFile() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return (folder_ / name).string();
  }
  static std::string refusal(const std::string& path) {
    const auto file = open_model_file(path);
    return file ? "accepted" : file.error().what;
  }
  std::filesystem::path folder_;
};

TEST_F(OpenModelFile, GoesByContentNotBySuffix) {
  EXPECT_EQ(refusal(write("model.bin", testing::tiny_llama().bytes)), "accepted");
  EXPECT_THAT(refusal(write("model.gguf", "PK\x03\x04")),
              HasSubstr("model.gguf: is not a model file but a zip archive"));
}

TEST_F(OpenModelFile, RefusesWhatIsNoRegularFile) {
  EXPECT_THAT(refusal(folder_.string()), HasSubstr("is a directory"));
  EXPECT_THAT(refusal((folder_ / "absent.gguf").string()), HasSubstr("No such file"));
  const std::string pipe = (folder_ / "pipe.gguf").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(refusal(pipe), HasSubstr("a pipe"));
  EXPECT_THAT(refusal("/dev/zero"), HasSubstr("a device"));
}

TEST_F(OpenModelFile, TellsTheFirstProblemAndTheirNumberButNoFolder) {
  testing::GgufWriter file;
  file.tensor("a", {1}, 99, "");
  file.tensor("b", {1}, 98, "");
  const std::string path = write("bad.gguf", file.finish().bytes);
  EXPECT_THAT(refusal(path), HasSubstr("bad.gguf: the file is damaged or malformed: tensor 'a'"));
  EXPECT_THAT(refusal(path), HasSubstr("(1 more problems"));
  EXPECT_THAT(refusal(path), Not(HasSubstr(folder_.string())));
  const auto examined = examine_model_file(path);
  ASSERT_TRUE(examined);
  EXPECT_EQ((*examined)->report().problems.size(), 2U);
}

}  // namespace
}  // namespace pensieve::model
