// MarkerParser: the machine for formats whose reasoning and calls stand between markers in the text. The same
// object reads streamed and whole replies: it holds back only what may still turn out to be something else.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/reply.h"
#include "model/chat/reply/line_tracker.h"
#include "model/chat/reply/piece_writer.h"
#include "model/chat/reply/reply_rules.h"

namespace pensieve::model::reply {

class MarkerParser final : public ReplyParser {
 public:
  MarkerParser(ReplyRules rules, std::shared_ptr<const OfferedTools> tools,
               std::optional<std::string_view> prompt_tail);

  void feed(std::string_view text, std::vector<ReplyPiece>& out) override;
  void finish(std::vector<ReplyPiece>& out) override;
  bool thinking() const override { return mode_ == Mode::thinking; }

 private:
  enum class Mode : std::uint8_t { prefix, undecided, text, thinking, call };
  enum class Kind : std::uint8_t { think_open, think_close, frame_open, frame_close, end, call };
  struct Marker {
    std::string text;
    Kind kind;
    std::size_t index;  // in the rules' list of this kind
  };
  struct Found {
    const Marker* marker = nullptr;
    bool unknown = false;  // the text ends inside a longer marker
  };

  void add_markers();
  void read_tail(std::optional<std::string_view> prompt_tail);
  void run(bool at_end, std::vector<ReplyPiece>& out);
  bool read_prefix(bool at_end);
  bool decide(bool at_end);
  bool read_text(bool at_end, std::vector<ReplyPiece>& out);
  bool read_call(bool at_end, std::vector<ReplyPiece>& out);
  void give_up_call(bool cut_off, std::vector<ReplyPiece>& out);
  Found find_marker(bool at_end) const;
  bool active(const Marker& marker) const;
  bool may_open_block() const;
  void pass(const Marker& marker, std::vector<ReplyPiece>& out);
  void write(std::size_t size, std::vector<ReplyPiece>& out);  // the next bytes are text
  void write_raw(std::vector<ReplyPiece>& out);                // so is all that is held
  PieceWriter& writer() { return mode_ == Mode::thinking ? reasoning_ : content_; }
  void start_call(std::unique_ptr<CallReader> reader);

  ReplyRules rules_;
  CallContext context_;
  std::vector<Marker> markers_;
  std::array<bool, 256> begins_marker_{};

  Mode mode_ = Mode::text;
  std::string held_;  // from at_ on not decided yet
  std::size_t at_ = 0;
  std::size_t unwritten_ = 0;     // bytes at the front of held_ that the model did not write
  std::size_t block_ = 0;         // the open thinking block's tags
  bool reopen_ = false;           // the prompt opened the block, so the reply may open it again
  bool frame_ = false;            // a frame is open
  bool whole_ = false;            // the answer may still be calls without markers
  std::size_t failed_calls_ = 0;  // what began like a call and was none
  std::unique_ptr<CallReader> reader_;
  bool without_marker_ = false;  // reader_ reads a whole answer
  PieceWriter content_{ReplyPiece::Kind::content}, reasoning_{ReplyPiece::Kind::reasoning};
  LineTracker lines_;
};

}  // namespace pensieve::model::reply
