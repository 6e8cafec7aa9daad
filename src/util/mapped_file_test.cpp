// That a mapping holds the file's bytes, survives moves, and is refused for what is not a regular file.
#include "util/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace pensieve::util {
namespace {

class MappedFileTest : public ::testing::Test {
 protected:
  MappedFileTest() {
    std::string pattern = ::testing::TempDir() + "mappedXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~MappedFileTest() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& bytes) const {
    std::ofstream(folder_ / "file", std::ios::binary) << bytes;
    return (folder_ / "file").string();
  }
  static std::string_view text(const MappedFile& file) {
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
  }
  std::filesystem::path folder_;
};

TEST_F(MappedFileTest, HoldsTheBytes) {
  Result<MappedFile> file = MappedFile::open(write("hello"));
  ASSERT_TRUE(file);
  EXPECT_EQ(text(*file), "hello");
  const std::byte* place = file->bytes().data();
  MappedFile moved = std::move(*file);
  EXPECT_EQ(moved.bytes().data(), place);
  EXPECT_TRUE(file->bytes().empty());
}

TEST_F(MappedFileTest, AnEmptyFileIsAnEmptySpan) {
  const Result<MappedFile> file = MappedFile::open(write(""));
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->bytes().empty());
}

TEST_F(MappedFileTest, ReleasedPagesAreReadAgain) {
  const std::string content(100'000, 'x');
  const Result<MappedFile> file = MappedFile::open(write(content));
  ASSERT_TRUE(file);
  release_mapped(file->bytes());
  release_mapped(file->bytes().subspan(5, 10));
  release_mapped({});
  EXPECT_EQ(text(*file), content);
}

TEST_F(MappedFileTest, RefusesWhatIsNoRegularFile) {
  const std::string pipe = (folder_ / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path :
       {pipe, folder_.string(), std::string("/dev/zero"), std::string("/dev/null")}) {
    const Result<MappedFile> file = MappedFile::open(path);
    ASSERT_FALSE(file) << path;
    EXPECT_EQ(file.error().code, Error::Code::invalid) << file.error().what;
  }
  const Result<MappedFile> absent = MappedFile::open((folder_ / "absent").string());
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Error::Code::not_found);
  EXPECT_FALSE(MappedFile::open(std::string("a\0b", 3)));
}

}  // namespace
}  // namespace pensieve::util
