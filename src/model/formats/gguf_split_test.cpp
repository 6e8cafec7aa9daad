// Models in several GGUF files: whole whichever part is named, and each way of not belonging together told.
#include "model/formats/gguf_split.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "model/formats/gguf_writer_for_test.h"
#include "model/loaded_model.h"

namespace pensieve::model {
namespace {

namespace fs = std::filesystem;
using testing::GgufWriter;
using ::testing::HasSubstr;

class SplitTest : public ::testing::Test {
 protected:
  SplitTest() {
    std::string pattern = ::testing::TempDir() + "splitXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SplitTest() override { fs::remove_all(folder_); }

  struct Part {
    std::uint16_t number = 0, count = 3;
    std::int32_t tensors = 3;
    std::string tensor;
  };
  std::string add(const std::string& name, const Part& part) const {
    GgufWriter file;
    if (part.number == 0) file.text("general.architecture", "llama");
    file.number<std::uint16_t>("split.no", testing::kU16, part.number);
    file.number<std::uint16_t>("split.count", testing::kU16, part.count);
    file.number<std::int32_t>("split.tensors.count", testing::kI32, part.tensors);
    file.tensor(part.tensor, {8}, 0, std::string(32, static_cast<char>('a' + part.number)));
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << file.finish().bytes;
    return path.string();
  }
  std::vector<std::string> whole() const {
    return {add("big-00001-of-00003.gguf", {0, 3, 3, "first"}),
            add("big-00002-of-00003.gguf", {1, 3, 3, "second"}),
            add("big-00003-of-00003.gguf", {2, 3, 3, "third"})};
  }
  static std::string why(const std::string& path) {
    const auto file = open_model_file(path);
    return file ? "" : file.error().what;
  }

  fs::path folder_;
};

TEST(SplitName, IsReadFromTheEnd) {
  const auto name = split_name("big-00002-of-00003");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->stem, "big");
  EXPECT_EQ(name->part(3), "big-00003-of-00003");
  for (const char* other : {"big", "-00001-of-00002", "big-00003-of-00002", "big-00000-of-00002",
                            "big-0001-of-0002", "big-0000x-of-00002", "big-00001-to-00002"})
    EXPECT_FALSE(split_name(other)) << other;
}

TEST_F(SplitTest, AnyPartStandsForTheWhole) {
  for (const std::string& path : whole()) {
    const auto file = open_model_file(path);
    ASSERT_TRUE(file) << file.error().what;
    EXPECT_EQ((*file)->tensors().size(), 3U);
    ASSERT_NE((*file)->find("third"), nullptr);
    EXPECT_EQ(static_cast<char>((*file)->find("third")->bytes.front()), 'c');
    EXPECT_EQ((*file)->metadata().text("general.architecture")->value(), "llama");
    std::uint64_t bytes = 0;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) bytes += entry.file_size();
    EXPECT_EQ((*file)->file_bytes(), bytes);
    const auto info = inspect(path);
    ASSERT_TRUE(info);
    EXPECT_EQ(info->name, "big");
  }
}

TEST_F(SplitTest, MissingPartsAreNamed) {
  const std::vector<std::string> parts = whole();
  fs::remove(parts[1]);
  EXPECT_THAT(why(parts[0]), HasSubstr("1 of the model's 3 parts is missing: 'big-00002-of-00003.gguf'"));
  EXPECT_THAT(why(parts[2]), HasSubstr("big-00002-of-00003.gguf"));
}

TEST_F(SplitTest, PartsMustBelongTogether) {
  const std::vector<std::string> parts = whole();
  add("big-00002-of-00003.gguf", {1, 3, 3, "first"});
  EXPECT_THAT(why(parts[0]), HasSubstr("'first' stands in two parts"));
  add("big-00002-of-00003.gguf", {2, 3, 3, "second"});
  EXPECT_THAT(why(parts[0]), HasSubstr("says that it is part 3 of 3"));
  add("big-00002-of-00003.gguf", {1, 4, 3, "second"});
  EXPECT_THAT(why(parts[0]), HasSubstr("says that it is part 2 of 4"));
  whole();
  add("big-00001-of-00003.gguf", {0, 3, 4, "first"});
  EXPECT_THAT(why(parts[1]), HasSubstr("3 tensors, not the 4"));
  std::ofstream(parts[1], std::ios::binary) << "GGUF";
  EXPECT_THAT(why(parts[0]), HasSubstr("big-00002-of-00003.gguf"));
}

TEST_F(SplitTest, APartMustBeNamedAsOne) {
  EXPECT_THAT(why(add("big.gguf", {1, 3, 3, "second"})), HasSubstr("NAME-00002-of-00003.gguf"));
  EXPECT_THAT(why(add("big-00001-of-00003.gguf", {1, 3, 3, "second"})), HasSubstr("not named so"));
  EXPECT_THAT(why(add("big-00001-of-60000.gguf", {0, 60000, 3, "first"})), HasSubstr("up to 1024"));
}

}  // namespace
}  // namespace pensieve::model
