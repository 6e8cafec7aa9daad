// HarmonyParser: gpt-oss's format of messages with channels and recipients:
// <|channel|>NAME[ to=RECIPIENT][ <|constrain|>json]<|message|>TEXT<|end|><|start|>assistant…
// Not for formats with markers inside one text: marker_parser.h.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/reply.h"
#include "model/chat/reply/json_scanner.h"
#include "model/chat/reply/offered_tools.h"
#include "model/chat/reply/piece_writer.h"

namespace pensieve::model::reply {

class HarmonyParser final : public ReplyParser {
 public:
  // `ends`: what ends a message.
  HarmonyParser(std::vector<std::string> ends, std::shared_ptr<const OfferedTools> tools);
  void feed(std::string_view text, std::vector<ReplyPiece>& out) override;
  void finish(std::vector<ReplyPiece>& out) override;
  bool thinking() const override { return mode_ == Mode::reasoning; }

 private:
  enum class Mode : std::uint8_t { header, content, reasoning, call };
  bool step(bool at_end, std::vector<ReplyPiece>& out);
  bool read_header(bool at_end, std::vector<ReplyPiece>& out);
  bool begin_message(std::string_view header, std::vector<ReplyPiece>& out);
  bool read_text(bool at_end, std::vector<ReplyPiece>& out);
  bool read_call(bool at_end, std::vector<ReplyPiece>& out);
  void end_call(std::size_t size, std::string arguments, std::vector<ReplyPiece>& out);
  void give_up_call(std::vector<ReplyPiece>& out);
  // The marker at `at` that ends a message; its length, 0: none, npos: the text ends inside one.
  std::size_t end_marker(std::size_t at, bool at_end) const;
  PieceWriter& writer() { return mode_ == Mode::reasoning ? reasoning_ : content_; }

  std::vector<std::string> ends_;
  std::shared_ptr<const OfferedTools> tools_;
  Mode mode_ = Mode::header;
  std::string held_;      // not decided yet; in a call: from the header on
  std::size_t body_ = 0;  // where a call's body begins in held_
  std::string name_;      // of the call
  JsonScanner scanner_;
  PieceWriter content_{ReplyPiece::Kind::content}, reasoning_{ReplyPiece::Kind::reasoning};
};

}  // namespace pensieve::model::reply
