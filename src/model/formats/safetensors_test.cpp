// SafeTensors as hostile input: what is accepted, and that everything else is refused in words.
#include "model/formats/safetensors.h"

#include <gmock/gmock.h>

#include <cstring>

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string file_of(const std::string& header, std::size_t data) {
  const std::uint64_t size = header.size();
  std::string file(sizeof size, '\0');
  std::memcpy(file.data(), &size, sizeof size);
  return file + header + std::string(data, '\1');
}

Result<std::vector<SafeTensor>> parsed(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file.data(), file.size())));
}

const std::string kTwo =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},)"
    R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   )";

TEST(SafeTensors, ListsTensorsInTheOrderOfTheirBytes) {
  const std::string file = file_of(kTwo, 16);
  const auto tensors = parsed(file);
  ASSERT_TRUE(tensors) << tensors.error().what;
  ASSERT_EQ(tensors->size(), 2U);
  EXPECT_EQ(tensors->at(0).name, "a");
  EXPECT_EQ(tensors->at(1).type, "BF16");
  EXPECT_THAT(tensors->at(1).shape, ElementsAre(2, 3));
  EXPECT_EQ(reinterpret_cast<const char*>(tensors->at(1).bytes.data()), file.data() + file.size() - 12);
}

TEST(SafeTensors, AcceptsWhatHoldsNothing) {
  EXPECT_TRUE(parsed(file_of("{}", 0)));
  EXPECT_TRUE(parsed(file_of(R"({"none":{"dtype":"F16","shape":[0,7],"data_offsets":[0,0]}})", 0)));
}

TEST(SafeTensors, EveryTruncatedFileIsRefused) {
  const std::string file = file_of(kTwo, 16);
  for (std::size_t size = 0; size < file.size(); ++size) {
    const auto tensors = parsed(file.substr(0, size));
    ASSERT_FALSE(tensors) << size;
    EXPECT_FALSE(tensors.error().what.empty());
  }
  EXPECT_FALSE(parsed(file + "x"));
}

TEST(SafeTensors, EveryChangedByteGivesAnAnswer) {
  const std::string file = file_of(kTwo, 16);
  int refused = 0;
  for (std::size_t at = 0; at < file.size() - 16; ++at) {
    for (const char value : {'\0', '"', '9', '}', '\xff'}) {
      std::string changed = file;
      changed[at] = value;
      const auto tensors = parsed(changed);
      if (!tensors) ++refused;
    }
  }
  EXPECT_GT(refused, 200);
}

TEST(SafeTensors, RefusalsNameTensorAndReason) {
  const auto refused = [](const std::string& entry, std::size_t data) {
    const auto tensors = parsed(file_of("{\"t\":" + entry + "}", data));
    return tensors ? std::string("accepted") : tensors.error().what;
  };
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})", 4),
              HasSubstr("4 bytes for 2 elements"));
  EXPECT_THAT(refused(R"({"dtype":"F99","shape":[1],"data_offsets":[0,4]})", 4), HasSubstr("unknown type"));
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})", 4),
              HasSubstr("no whole number"));
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})", 4),
              HasSubstr("before it begins"));
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})", 8), HasSubstr("expected 0"));
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[1]})", 4), HasSubstr("has no data_offsets"));
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]})", 4),
              HasSubstr("too large"));
  EXPECT_THAT(refused(R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})", 1),
              HasSubstr("whole number of bytes"));
  EXPECT_THAT(refused(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})", 8),
              HasSubstr("4 bytes of tensors in 8"));
}

TEST(SafeTensors, RefusesHugeHeadersBeforeReadingThem) {
  std::string file(16, '\0');
  const std::uint64_t size = std::uint64_t{1} << 60;
  std::memcpy(file.data(), &size, sizeof size);
  const auto tensors = parsed(file);
  ASSERT_FALSE(tensors);
  EXPECT_THAT(tensors.error().what, HasSubstr("a header of 1152921504606846976 bytes"));
}

}  // namespace
}  // namespace pensieve::model
