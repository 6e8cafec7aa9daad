// Framing of events and chunks, byte for byte.
#include "server/http/event_stream.h"

#include <gtest/gtest.h>

namespace pensieve::server {
namespace {

TEST(EventStream, FramesNamesAndLines) {
  std::string out;
  append_event("", "[DONE]", out);
  append_event("error", "a\nb\n", out);
  EXPECT_EQ(out, "data: [DONE]\n\nevent: error\ndata: a\ndata: b\ndata: \n\n");
}

TEST(EventStream, ChunksCarryTheirSizeInHexadecimal) {
  std::string out;
  append_chunk(std::string(26, 'x'), out);
  EXPECT_EQ(out, "1a\r\n" + std::string(26, 'x') + "\r\n");
}

}  // namespace
}  // namespace pensieve::server
