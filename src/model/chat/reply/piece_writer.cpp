// What may have to go (white space, end markers) waits in pending_ until the next text or marker decides.
#include "model/chat/reply/piece_writer.h"

namespace pensieve::model::reply {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view without_leading_space(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  return text;
}

std::string_view without_trailing_space(std::string_view text) {
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

void append_piece(ReplyPiece::Kind kind, std::string_view text, std::vector<ReplyPiece>& out) {
  if (!out.empty() && out.back().kind == kind && kind != ReplyPiece::Kind::call) {
    out.back().text += text;
  } else {
    out.push_back({kind, std::string(text)});
  }
}

void PieceWriter::write(std::string_view text, std::vector<ReplyPiece>& out) {
  if (text.empty()) return;
  if (!begun_ && any_) append_piece(kind_, "\n", out);
  begun_ = true;
  append_piece(kind_, text, out);
}

void PieceWriter::text(std::string_view text, std::vector<ReplyPiece>& out) {
  const std::string_view solid = without_trailing_space(text);
  if (!solid.empty()) {
    pending_.text += solid;
    std::string_view all = pending_.text;
    if (!begun_ && after_marker_) all = without_leading_space(all);
    write(all, out);
    pending_ = {};
  }
  pending_.text += text.substr(solid.size());
}

void PieceWriter::end_marker(std::string_view marker) {
  pending_.text += marker;
  pending_.empty_but_space = false;
}

void PieceWriter::marker(std::vector<ReplyPiece>& out) {
  if (!pending_.empty_but_space) {  // the reply goes on after an end marker, so that was text
    std::string_view all = without_trailing_space(pending_.text);
    if (!begun_ && after_marker_) all = without_leading_space(all);
    write(all, out);
  }
  pending_ = {};
  any_ = any_ || begun_;
  begun_ = false;
  after_marker_ = true;
}

void PieceWriter::finish(std::vector<ReplyPiece>& out) {
  if (pending_.empty_but_space && (begun_ || !after_marker_)) write(pending_.text, out);
  pending_ = {};
}

}  // namespace pensieve::model::reply
