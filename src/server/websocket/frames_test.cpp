// Frames as a client sends them: joined, unmasked, in pieces of any size; and each way to break the rules.
#include "server/websocket/frames.h"

#include <gtest/gtest.h>

#include <vector>

namespace pensieve::server {
namespace {

// A masked frame with the first byte as given.
std::string frame(int first, std::string payload, std::string_view mask = "\x11\x22\x33\x44") {
  std::string out;
  append_frame(FrameKind::text, payload, out);
  const std::size_t header = out.size() - payload.size();
  out[0] = static_cast<char>(first);
  out[1] = static_cast<char>(out[1] | 0x80);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
  return out.substr(0, header) + std::string(mask) + payload;
}

struct Outcome {
  std::vector<FrameReader::Message> messages;
  int code = 0;  // 0: no error
};

Outcome read(std::string_view input, std::size_t step, std::size_t most = 1 << 20) {
  FrameReader reader(most);
  Outcome outcome;
  std::size_t have = 0;
  while (true) {
    std::optional<FrameReader::Message> message;
    const auto used = reader.feed(input.substr(0, have), message);
    if (!used) {
      outcome.code = static_cast<int>(used.error().code);
      return outcome;
    }
    input.remove_prefix(*used);
    have -= *used;
    if (message) {
      outcome.messages.push_back(std::move(*message));
    } else if (*used == 0) {
      if (have == input.size()) return outcome;
      have = std::min(have + step, input.size());
    }
  }
}

TEST(Frames, MessagesOfEverySizeComeWholeInPiecesOfAnySize) {
  for (const std::size_t size : {0, 1, 125, 126, 127, 65535, 65536, 200'000}) {
    const std::string text(size, 'x');
    for (const std::size_t step : {1, 7, 4096}) {
      if (size > 1000 && step == 1) continue;
      const Outcome outcome = read(frame(0x81, text) + frame(0x82, "b"), step);
      ASSERT_EQ(outcome.code, 0);
      ASSERT_EQ(outcome.messages.size(), 2);
      EXPECT_EQ(outcome.messages[0].bytes, text);
      EXPECT_EQ(outcome.messages[0].kind, FrameKind::text);
      EXPECT_EQ(outcome.messages[1].kind, FrameKind::binary);
    }
  }
}

TEST(Frames, FragmentsAreJoinedAroundControlFrames) {
  const Outcome outcome = read(frame(0x01, "wo\xC3") + frame(0x89, "hi") + frame(0x80, "\xB6rt"), 3);
  ASSERT_EQ(outcome.messages.size(), 2);
  EXPECT_EQ(outcome.messages[0].kind, FrameKind::ping);
  EXPECT_EQ(outcome.messages[0].bytes, "hi");
  EXPECT_EQ(outcome.messages[1].bytes, "woört");
}

TEST(Frames, BrokenOnesAreRefusedWithTheRightCode) {
  const auto code = [](const std::string& bytes) { return read(bytes, 1, 100).code; };
  EXPECT_EQ(code(frame(0xC1, "x")), 1002) << "reserved bit";
  EXPECT_EQ(code(frame(0x83, "x")), 1002) << "unknown opcode";
  EXPECT_EQ(code(std::string("\x81\x01x", 3)), 1002) << "not masked";
  EXPECT_EQ(code(frame(0x09, "x")), 1002) << "fragmented ping";
  EXPECT_EQ(code(frame(0x89, std::string(126, 'x'))), 1002) << "long ping";
  EXPECT_EQ(code(frame(0x80, "x")), 1002) << "continuation of nothing";
  EXPECT_EQ(code(frame(0x01, "x") + frame(0x81, "y")), 1002) << "message inside a message";
  EXPECT_EQ(code(std::string("\x81\xFE\x00\x05", 4) + "maskhello"), 1002) << "length not shortest";
  EXPECT_EQ(code(std::string("\x82\xFF\x80\0\0\0\0\0\0\0mask", 14)), 1002) << "length beyond 63 bits";
  EXPECT_EQ(code(std::string("\x82\xFF\x7F\0\0\0\0\0\0\0mask", 14)), 1009) << "refused before it comes";
  EXPECT_EQ(code(frame(0x02, std::string(60, 'x')) + frame(0x80, std::string(41, 'x'))), 1009);
  EXPECT_EQ(code(frame(0x02, std::string(60, 'x')) + frame(0x80, std::string(40, 'x'))), 0);
  EXPECT_EQ(code(frame(0x81, "\xC3")), 1007) << "cut character";
  EXPECT_EQ(code(frame(0x01, "\xED\xA0\x80")), 1007) << "hopeless before the end";
  EXPECT_EQ(code(frame(0x88, "x")), 1002) << "half a close code";
  EXPECT_EQ(code(frame(0x88, std::string("\x03\xED", 2))), 1002) << "1005 is never sent";
  EXPECT_EQ(code(frame(0x88, std::string("\x03\xE8\xFF", 3))), 1007);
  EXPECT_EQ(code(frame(0x88, std::string("\x03\xE8 bye", 6))), 0);
}

}  // namespace
}  // namespace pensieve::server
