// EnforcedParser: replies that the sampler has forced to be calls in a family's form. As nothing else can
// come, names and arguments are passed on at once. Not for replies that the model chose itself:
// marker_parser.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/reply.h"
#include "model/chat/reply/json_scanner.h"
#include "model/chat/reply/piece_writer.h"

namespace pensieve::model::reply {

class EnforcedParser final : public ReplyParser {
 public:
  EnforcedParser(EnforcedForm form, std::optional<ThinkingForm> thinking);
  void feed(std::string_view text, std::vector<ReplyPiece>& out) override;
  void finish(std::vector<ReplyPiece>& out) override;
  bool thinking() const override { return mode_ == Mode::thinking; }

 private:
  enum class Mode : std::uint8_t { start, thinking, before, name, arguments };
  bool step(std::vector<ReplyPiece>& out);
  bool start(std::vector<ReplyPiece>& out);
  bool think(std::vector<ReplyPiece>& out);
  bool arguments(std::vector<ReplyPiece>& out);
  bool pass(std::string_view text);  // drops what stands up to and including `text`

  EnforcedForm form_;
  std::optional<ThinkingForm> thinking_;
  Mode mode_ = Mode::start;
  std::string held_;
  JsonScanner scanner_;
  std::size_t sent_ = 0;  // bytes of the arguments in held_ that were passed on
  PieceWriter reasoning_{ReplyPiece::Kind::reasoning};
};

}  // namespace pensieve::model::reply
