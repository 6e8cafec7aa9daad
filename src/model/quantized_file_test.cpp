// Quantizing while loading: the tensors that graphs get are those that the verb would write, made when asked
// for.
#include "model/quantized_file.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "model/loaded_model.h"
#include "model/tiny_llama_for_test.h"

namespace pensieve::model {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// One matrix of rising numbers in F32, one in Q4_1 and a vector.
class QuantizedFileTest : public ::testing::Test {
 protected:
  QuantizedFileTest() {
    std::string pattern = ::testing::TempDir() + "quantizedXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    for (int i = 0; i < 4 * 64; ++i) values_.push_back(static_cast<float>(i % 17) - 8.0F);
    testing::GgufWriter file;
    file.text("general.architecture", "llama");
    file.tensor("wide.weight", {64, 4}, 0, bytes(values_));
    file.tensor("small.weight", {32, 2}, 3, std::string(40, '\x11'));
    file.tensor("norm.weight", {8}, 0, bytes(std::vector<float>(8, 1.0F)));
    std::ofstream(folder_ / "model.gguf", std::ios::binary) << file.finish().bytes;
  }
  ~QuantizedFileTest() override { fs::remove_all(folder_); }
  static std::string bytes(const std::vector<float>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  }
  Result<std::unique_ptr<ModelFile>> open(std::string_view type) const {
    return open_model_file((folder_ / "model.gguf").string()).and_then([&](std::unique_ptr<ModelFile> file) {
      return quantized_file(std::move(file), type);
    });
  }

  fs::path folder_;
  std::vector<float> values_;
};

TEST_F(QuantizedFileTest, MatricesGetTheTypeWhenTheirBytesAreMade) {
  const auto file = open("q8_0");
  ASSERT_TRUE(file) << file.error().what;
  const TensorInfo* wide = (*file)->find("wide.weight");
  ASSERT_NE(wide, nullptr);
  EXPECT_EQ(wide->codec->name, "q8_0");
  EXPECT_EQ(wide->type_name, "q8_0");
  ASSERT_EQ(wide->bytes.size(), 4U * 68);
  EXPECT_TRUE(
      std::all_of(wide->bytes.begin(), wide->bytes.end(), [](std::byte b) { return b == std::byte{0}; }));
  ASSERT_TRUE((*file)->materialise(3));
  std::vector<unsigned char> expected(wide->bytes.size());
  for (std::size_t row = 0; row < 4; ++row)
    encode_row(*wide->codec, values_.data() + row * 64, 64, expected.data() + row * 68);
  EXPECT_TRUE(
      std::equal(expected.begin(), expected.end(), wide->bytes.begin(),
                 [](unsigned char a, std::byte b) { return a == std::to_integer<unsigned char>(b); }));
  ASSERT_TRUE((*file)->materialise(1)) << "once is enough";
  EXPECT_NE(wide->bytes.front(), std::byte{0});
}

TEST_F(QuantizedFileTest, NothingGrowsAndVectorsStay) {
  const auto file = open("q8_0");
  ASSERT_TRUE(file) << file.error().what;
  EXPECT_EQ((*file)->find("small.weight")->codec->name, "q4_1");
  EXPECT_EQ((*file)->find("norm.weight")->codec->name, "f32");
  EXPECT_EQ((*file)->find("absent"), nullptr);
}

TEST_F(QuantizedFileTest, AnUnknownTypeIsRefused) {
  const auto file = open("q9_9");
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().what, HasSubstr("q9_9"));
}

}  // namespace
}  // namespace pensieve::model
