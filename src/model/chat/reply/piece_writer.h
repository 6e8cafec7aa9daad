// PieceWriter: text between markers as one text of the message: white space goes where it touches a marker,
// pieces are joined by one newline, end-of-turn markers at the end of the reply go. One for content, one for
// reasoning. Not for finding markers: marker_parser.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/reply.h"

namespace pensieve::model::reply {

bool is_space(char c);  // space, tab, CR, LF: what counts as white space in replies
std::string_view without_leading_space(std::string_view text);
std::string_view without_trailing_space(std::string_view text);

class PieceWriter {
 public:
  explicit PieceWriter(ReplyPiece::Kind kind) : kind_(kind) {}

  void text(std::string_view text, std::vector<ReplyPiece>& out);
  void end_marker(std::string_view marker);   // text, unless the reply ends after it
  void marker(std::vector<ReplyPiece>& out);  // the piece ends at a marker, the next one begins there
  void finish(std::vector<ReplyPiece>& out);
  bool nothing_but_space() const { return !begun_ && pending_.empty_but_space; }
  bool empty() const { return !any_ && nothing_but_space(); }
  bool after_marker() const { return after_marker_; }

 private:
  struct Pending {  // white space and end markers, which may yet turn out not to count
    std::string text;
    bool empty_but_space = true;
  };
  void write(std::string_view text, std::vector<ReplyPiece>& out);

  ReplyPiece::Kind kind_;
  Pending pending_;
  bool after_marker_ = false;  // this piece began at a marker
  bool begun_ = false;         // this piece has text
  bool any_ = false;           // an earlier piece had text
};

// Joins with the piece before where it is of the same kind.
void append_piece(ReplyPiece::Kind kind, std::string_view text, std::vector<ReplyPiece>& out);

}  // namespace pensieve::model::reply
