// Log lines: whole, escaped, filtered by level.
#include "util/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "util/json.h"

namespace pensieve::util {
namespace {

std::string written(LogFormat format, LogLevel threshold, LogLevel level) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  Log log(threshold, format, ends[1]);
  log.write(level, "request",
            {{"id", "a\nb\x1b[31m"}, {"status", std::int64_t{200}}, {"ms", 1.5}, {"cached", true}});
  close(ends[1]);
  char buffer[4096];
  const ssize_t size = read(ends[0], buffer, sizeof buffer);
  close(ends[0]);
  return {buffer, static_cast<std::size_t>(size)};
}

TEST(Log, JsonLineHoldsTheFieldsAndNoControlCharacters) {
  const std::string line = written(LogFormat::json, LogLevel::info, LogLevel::warn);
  ASSERT_EQ(line.find('\n'), line.size() - 1);
  const auto value = parse_json(line);
  ASSERT_TRUE(value) << line;
  EXPECT_EQ((*value)["level"], "warn");
  EXPECT_EQ((*value)["event"], "request");
  EXPECT_EQ((*value)["id"], "a\nb\x1b[31m");
  EXPECT_EQ((*value)["status"], 200);
  EXPECT_EQ((*value)["cached"], true);
}

TEST(Log, TextLineCannotBeForged) {
  const std::string line = written(LogFormat::text, LogLevel::info, LogLevel::error);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_NE(line.find("error request id="), std::string::npos) << line;
}

TEST(Log, BelowTheLevelNothingIsWritten) {
  EXPECT_EQ(written(LogFormat::json, LogLevel::warn, LogLevel::info), "");
  EXPECT_EQ(written(LogFormat::json, LogLevel::off, LogLevel::error), "");
}

}  // namespace
}  // namespace pensieve::util
