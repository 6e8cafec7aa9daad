// Opening backends by name: what the errors tell.
#include "hal/backends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pensieve::hal {
namespace {

using testing::HasSubstr;

TEST(Backends, UnknownNamesListTheKnownOnes) {
  const auto opened = open_backend("abacus", {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Error::Code::not_found);
  EXPECT_EQ(opened.error().field, "backend");
  EXPECT_THAT(opened.error().what, HasSubstr("abacus"));
  for (const BackendFactory* factory : backends())
    EXPECT_THAT(opened.error().what, HasSubstr(std::string(factory->name)));
}

TEST(Backends, NamesAreThoseOfTheTable) {
  for (const BackendFactory* factory : backends()) {
    const auto devices = factory->probe();
    const auto opened = open_backend(factory->name, {});
    if (devices) {
      EXPECT_TRUE(opened) << opened.error().what;
    } else {
      EXPECT_THAT(opened.error().what, HasSubstr(devices.error().what));
    }
  }
}

TEST(Backends, AutoNeverTakesTheReference) {
  const auto opened = open_backend("auto", {});
  if (opened) {
    EXPECT_NE((*opened)->info().name, "reference");
  } else {
    EXPECT_THAT(opened.error().what, HasSubstr("no device can run models here"));
  }
}

}  // namespace
}  // namespace pensieve::hal
