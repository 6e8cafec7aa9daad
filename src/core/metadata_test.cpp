// Typed look-ups in metadata.
#include "core/metadata.h"

#include <gtest/gtest.h>

namespace pensieve {
namespace {

TEST(Metadata, ConvertsWhatLosesNothingAndNamesWhatDoesNotFit) {
  Metadata metadata;
  metadata.set("a.count", std::uint64_t{7});
  metadata.set("a.huge", std::uint64_t{1} << 63);
  metadata.set("a.name", std::string("x"));
  metadata.set("a.list", std::vector<std::string>{"p", "q"});
  EXPECT_EQ(metadata.integer("a.count").value(), 7);
  EXPECT_EQ(metadata.real("a.count").value(), 7.0);
  EXPECT_EQ(metadata.integer("absent").value(), std::nullopt);
  EXPECT_EQ(metadata.texts("a.list")->size(), 2U);
  EXPECT_EQ(metadata.texts("a.name"), nullptr);
  EXPECT_NE(metadata.integer("a.huge").error().what.find("a.huge is 9223372036854775808"), std::string::npos);
  EXPECT_EQ(metadata.integer("a.name").error().what, "metadata key a.name holds a text, expected an integer");
  EXPECT_EQ(metadata.boolean("a.list").error().what,
            "metadata key a.list holds a list of texts, expected a boolean");
}

}  // namespace
}  // namespace pensieve
