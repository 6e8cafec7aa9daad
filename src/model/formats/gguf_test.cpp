// What the GGUF reader says of sound files and of single faults, with ggml's verdict where ggml has one.
#include "model/formats/gguf.h"

#include <gmock/gmock.h>

#include <limits>

#include "model/formats/ggml_types.h"
#include "model/tiny_llama_for_test.h"

namespace pensieve::model {
namespace {

using ::testing::ElementsAre;
using testing::GgufImage;
using testing::GgufWriter;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

GgufContent parsed(const GgufImage& image) {
  Result<GgufContent> content = parse_gguf(image.span());
  EXPECT_TRUE(content) << content.error().what;
  return content ? std::move(*content) : GgufContent{};
}

std::string refusal(const GgufImage& image) {
  const Result<GgufContent> content = parse_gguf(image.span());
  return content ? "accepted" : content.error().what;
}

// The only problem of a file whose tables can be read.
std::string problem(const GgufImage& image) {
  const GgufContent content = parsed(image);
  EXPECT_THAT(content.report.problems, SizeIs(1));
  return content.report.problems.empty() ? "" : content.report.problems.front();
}

TEST(Gguf, ReadsTheTinyModel) {
  const GgufImage image = testing::tiny_llama();
  const GgufContent content = parsed(image);
  EXPECT_THAT(content.report.problems, IsEmpty());
  EXPECT_THAT(content.report.warnings, IsEmpty());
  EXPECT_EQ(content.report.format, "gguf");
  EXPECT_EQ(content.report.version, 3U);
  ASSERT_THAT(content.tensors, SizeIs(20));
  const TensorInfo& down = content.tensors[9];
  EXPECT_EQ(down.name, "blk.0.ffn_down.weight");
  EXPECT_THAT(down.shape, ElementsAre(32, 64));  // outermost first
  EXPECT_EQ(down.type_name, "q4_1");
  EXPECT_EQ(down.codec, find_codec("q4_1"));
  EXPECT_EQ(down.bytes.size(), 32U * 2 * 20);
  EXPECT_EQ(content.tensors[0].bytes.data(), image.span().data() + image.data_at);
}

TEST(Gguf, KeepsEveryKindOfValue) {
  GgufWriter file;
  file.number<std::uint8_t>("u8", testing::kU8, 255);
  file.number<std::int8_t>("i8", testing::kI8, -128);
  file.number<std::uint16_t>("u16", testing::kU16, 65535);
  file.number<std::int16_t>("i16", testing::kI16, -32768);
  file.number<std::int32_t>("i32", testing::kI32, -7);
  file.number<std::uint64_t>("u64", testing::kU64, ~0ULL);
  file.number<std::int64_t>("i64", testing::kI64, std::numeric_limits<std::int64_t>::min());
  file.number<double>("f64", testing::kF64, 0.25);
  file.f32("f32", 1.5F);
  file.boolean("yes", true);
  file.text("text", std::string_view("a\0b\xff", 4));
  file.texts("texts", {"", "x"});
  file.numbers<std::int8_t>("i8s", testing::kI8, {-1, 2});
  file.numbers<float>("f32s", testing::kF32, {0.5F});
  file.numbers<std::uint8_t>("flags", testing::kBool, {1, 0});
  const Metadata metadata = parsed(file.finish()).metadata;
  EXPECT_EQ(metadata.integer("u8")->value(), 255);
  EXPECT_EQ(metadata.integer("i8")->value(), -128);
  EXPECT_EQ(metadata.integer("u16")->value(), 65535);
  EXPECT_EQ(metadata.integer("i16")->value(), -32768);
  EXPECT_EQ(metadata.integer("i32")->value(), -7);
  EXPECT_EQ(metadata.integer("i64")->value(), std::numeric_limits<std::int64_t>::min());
  EXPECT_FALSE(metadata.integer("u64"));  // beyond what an integer may be
  EXPECT_EQ(metadata.real("f64")->value(), 0.25);
  EXPECT_EQ(metadata.real("f32")->value(), 1.5);
  EXPECT_TRUE(metadata.boolean("yes")->value());
  EXPECT_EQ(metadata.text("text")->value(), std::string("a\0b\xff", 4));
  EXPECT_THAT(*metadata.texts("texts"), ElementsAre("", "x"));
  EXPECT_THAT(*metadata.integers("i8s"), ElementsAre(-1, 2));
  EXPECT_THAT(*metadata.reals("f32s"), ElementsAre(0.5));
  EXPECT_EQ(std::get<std::vector<bool>>(*metadata.find("flags")), std::vector<bool>({true, false}));
}

TEST(Gguf, TellsVersionsApart) {
  GgufWriter file;
  for (const std::uint32_t good : {2U, 3U}) {
    file.version = good;
    EXPECT_EQ(parsed(file.finish()).report.version, good);
  }
  const auto version = [&](std::uint32_t value) {
    file.version = value;
    return refusal(file.finish());
  };
  EXPECT_THAT(version(0), HasSubstr("version 0 is unknown"));
  EXPECT_THAT(version(1), HasSubstr("version 1 is no longer in use"));
  EXPECT_THAT(version(4), HasSubstr("version 4 is unknown"));
  EXPECT_THAT(version(0x03000000), HasSubstr("big-endian"));
}

TEST(Gguf, AcceptsWhatGgmlAccepts) {
  GgufWriter empty;
  EXPECT_THAT(parsed(empty.finish()).report.problems, IsEmpty());
  EXPECT_THAT(parsed(testing::tiny_llama({.vocabulary_only = true})).report.problems, IsEmpty());

  for (const std::uint32_t alignment : {8U, 64U}) {
    GgufWriter aligned;
    aligned.alignment = alignment;
    aligned.u32("general.alignment", alignment);
    aligned.tensor("odd", {3}, 24, "abc");
    aligned.tensor("next", {2}, 0, std::string(8, '\0'));
    EXPECT_THAT(parsed(aligned.finish()).report.problems, IsEmpty()) << alignment;
  }
  GgufWriter shapes;
  shapes.tensor("scalar", {}, 0, std::string(4, '\0'));
  shapes.tensor("nothing", {0, 5}, 0, "");
  shapes.tensor("four", {1, 2, 3, 4}, 0, std::string(96, '\0'));
  const GgufContent content = parsed(shapes.finish());
  EXPECT_THAT(content.report.problems, IsEmpty());
  EXPECT_THAT(content.tensors[2].shape, ElementsAre(4, 3, 2, 1));
}

TEST(Gguf, RefusesCountsThatTheFileCannotHold) {
  for (const std::uint64_t count : {~0ULL, 1ULL << 63, 1ULL << 61, 1ULL << 32, 1000'000ULL}) {
    GgufImage image = testing::tiny_llama({.vocabulary_only = true});
    image.put(image.field("tensor count").at, count);
    EXPECT_THAT(problem(image), HasSubstr("claims " + std::to_string(count) + " tensors"));
    image = testing::tiny_llama();
    image.put(image.field("key count").at, count);
    EXPECT_THAT(refusal(image), HasSubstr("metadata entries"));
    image = testing::tiny_llama();
    image.put(image.field("count of tokenizer.ggml.tokens").at, count);
    EXPECT_THAT(refusal(image), HasSubstr("more than the rest of the file can hold"));
    image = testing::tiny_llama();
    image.put(image.field("length of value of general.name").at, count);
    EXPECT_THAT(refusal(image), HasSubstr("'general.name' goes beyond the end"));
  }
}

TEST(Gguf, RefusesWhatItCannotFollow) {
  GgufWriter nested;
  nested.numbers<std::uint32_t>("list", testing::kArray, {0, 0, 0});
  EXPECT_THAT(refusal(nested.finish()), HasSubstr("array of arrays"));
  GgufWriter unknown;
  unknown.number<std::uint32_t>("key", static_cast<testing::GgufKind>(13), 0);
  EXPECT_THAT(refusal(unknown.finish()), HasSubstr("unknown value type 13"));
  GgufWriter element;
  element.numbers<std::uint32_t>("key", static_cast<testing::GgufKind>(99), {1});
  EXPECT_THAT(refusal(element.finish()), HasSubstr("unknown type 99"));
}

TEST(Gguf, FindsFaultyKeys) {
  const auto with_key = [](const std::string& key) {
    GgufWriter file;
    file.u32("twice", 1);
    file.u32(key, 2);
    return problem(file.finish());
  };
  EXPECT_THAT(with_key(""), HasSubstr("must not be empty"));
  EXPECT_THAT(with_key("twice"), HasSubstr("metadata key 'twice' at byte 45: the key is there twice"));
  EXPECT_THAT(with_key("bad\xc3"), HasSubstr("'bad\\xc3'"));
  EXPECT_THAT(with_key(std::string("a\0b", 3)), HasSubstr("control characters"));
  EXPECT_THAT(with_key(std::string(70000, 'k')), HasSubstr("65535"));

  GgufWriter file;
  file.u32("twice", 1);
  file.u32("twice", 2);
  EXPECT_EQ(parsed(file.finish()).metadata.integer("twice")->value(), 1);
}

TEST(Gguf, ChecksTheAlignment) {
  for (const std::uint32_t bad : {0U, 3U, 13U, 33U, 0xFFFFFFFFU}) {
    GgufWriter file;
    file.u32("general.alignment", bad);
    EXPECT_THAT(problem(file.finish()), HasSubstr(std::to_string(bad) + " is not a power of two"));
  }
  for (const std::uint32_t small : {1U, 2U, 4U}) {
    GgufWriter file;
    file.u32("general.alignment", small);
    EXPECT_THAT(problem(file.finish()), HasSubstr(std::to_string(small) + " is no multiple of 8"));
  }
  GgufWriter other_type;
  other_type.number<std::int32_t>("general.alignment", testing::kI32, 32);
  EXPECT_THAT(problem(other_type.finish()), HasSubstr("must be of type uint32"));
  GgufWriter huge;
  huge.u32("general.alignment", 1U << 31);
  huge.tensor("t", {1}, 0, std::string(4, '\0'));
  EXPECT_THAT(problem(huge.finish()), HasSubstr("alignment 2147483648"));
}

GgufImage with_tensor(const std::string& name, std::vector<std::uint64_t> sizes, std::uint32_t type,
                      std::size_t bytes = 4) {
  GgufWriter file;
  file.tensor("first", {8}, 0, std::string(32, '\0'));
  file.tensor(name, std::move(sizes), type, std::string(bytes, '\0'));
  return file.finish();
}

TEST(Gguf, FindsFaultyTensors) {
  EXPECT_THAT(problem(with_tensor("", {1}, 0)), HasSubstr("name is empty"));
  EXPECT_THAT(problem(with_tensor("first", {1}, 0)), HasSubstr("came before"));
  EXPECT_THAT(problem(with_tensor(std::string(64, 'n'), {1}, 0)), HasSubstr("longer than 63"));
  EXPECT_THAT(problem(with_tensor("\xff", {1}, 0)), HasSubstr("'\\xff'"));
  EXPECT_THAT(problem(with_tensor("a\n", {1}, 0)), HasSubstr("control characters"));
  EXPECT_THAT(problem(with_tensor("t", {1, 1, 1, 1, 1}, 0)), HasSubstr("5 dimensions"));
  EXPECT_THAT(problem(with_tensor("t", {~0ULL}, 0)), HasSubstr("too large"));
  EXPECT_THAT(problem(with_tensor("t", {1ULL << 32, 1ULL << 32}, 0)), HasSubstr("too large"));
  EXPECT_THAT(problem(with_tensor("t", {1ULL << 62, 3}, 0)), HasSubstr("too large"));
  EXPECT_THAT(problem(with_tensor("t", {1ULL << 62}, 27)), HasSubstr("size in bytes is too large"));
  EXPECT_THAT(problem(with_tensor("t", {1ULL << 40}, 0)), HasSubstr("beyond the end of the file"));
  EXPECT_THAT(problem(with_tensor("t", {33}, 3)), HasSubstr("do not divide into q4_1 blocks"));
  EXPECT_THAT(problem(with_tensor("t", {32}, 4)), HasSubstr("removed tensor type q4_2"));
  EXPECT_THAT(problem(with_tensor("t", {32}, 77)), HasSubstr("unknown tensor type 77"));
}

TEST(Gguf, ListsTensorsBesideAFaultyOne) {
  const GgufContent content = parsed(with_tensor("t", {32}, 77));
  ASSERT_THAT(content.tensors, SizeIs(2));
  EXPECT_EQ(content.tensors[0].bytes.size(), 32U);
  EXPECT_EQ(content.tensors[1].codec, nullptr);
  EXPECT_EQ(content.tensors[1].type_name, "type 77");
  EXPECT_THAT(content.tensors[1].bytes, IsEmpty());
}

TEST(Gguf, FindsSumsOfSizesThatWrap) {
  GgufWriter file;
  file.tensor("a", {0x7FFFFFFFFFFFFFC0ULL}, 24, "");
  file.tensor("b", {0x7FFFFFFFFFFFFFC0ULL}, 24, "");
  GgufImage image = file.finish();
  image.put(image.field("offset of b").at, std::uint64_t{0x7FFFFFFFFFFFFFC0ULL});
  const GgufContent content = parsed(image);
  EXPECT_THAT(content.report.problems, SizeIs(2));
}

TEST(Gguf, WantsTensorsOneAfterTheOther) {
  const auto at = [](std::uint64_t offset) {
    GgufImage image = with_tensor("t", {1}, 0);
    image.put(image.field("offset of t").at, offset);
    image.bytes.resize(image.bytes.size() + 64);
    return problem(image);
  };
  EXPECT_THAT(at(0), HasSubstr("offset is 0, but the tensor before it ends at 32"));  // overlap
  EXPECT_THAT(at(64), HasSubstr("offset is 64, but"));                                // hole
  EXPECT_THAT(at(33), HasSubstr("not a multiple of the alignment"));
  EXPECT_THAT(at(~0ULL - 31), HasSubstr("beyond the end of the file"));
}

TEST(Gguf, SaysWhenOneOfSeveralFilesIsGiven) {
  GgufWriter file;
  file.number<std::uint16_t>("split.count", testing::kU16, 3);
  file.number<std::uint16_t>("split.no", testing::kU16, 1);
  EXPECT_THAT(problem(file.finish()), HasSubstr("part 2 of a model split into 3 files"));
  GgufWriter whole;
  whole.number<std::uint16_t>("split.count", testing::kU16, 1);
  EXPECT_THAT(parsed(whole.finish()).report.problems, IsEmpty());
}

TEST(Gguf, WarnsOfBytesAfterTheEnd) {
  GgufImage image = testing::tiny_llama();
  image.bytes.resize(image.bytes.size() + 4096);
  EXPECT_THAT(parsed(image).report.warnings, ElementsAre(HasSubstr("4096 bytes follow the last tensor")));
}

TEST(Gguf, KeepsTheListOfProblemsShort) {
  GgufWriter file;
  for (int i = 0; i < 1000; ++i) file.tensor("t" + std::to_string(i), {1}, 99, "");
  const GgufContent content = parsed(file.finish());
  EXPECT_THAT(content.report.problems, SizeIs(101));
  EXPECT_EQ(content.report.problems.back(), "and 900 more problems");
}

TEST(GgmlTypes, AgreeWithTheCodecs) {
  for (const Codec* codec : codecs()) {
    const GgmlType* type = find_ggml_type(codec->ggml_type);
    ASSERT_NE(type, nullptr) << codec->name;
    EXPECT_EQ(type->name, codec->name);
    EXPECT_EQ(type->block_elements, codec->block_elements) << codec->name;
    EXPECT_EQ(type->block_bytes, codec->block_bytes) << codec->name;
  }
}

}  // namespace
}  // namespace pensieve::model
