// Pieces of a reply as events, in their order.
#include "manage/message_sink.h"

#include <random>
#include <utility>

namespace pensieve::manage {

MessageSink::MessageSink(std::vector<std::unique_ptr<ReplyParser>> parsers, std::unique_ptr<ReplySink> client,
                         bool one_call)
    : client_(std::move(client)), one_call_(one_call) {
  for (std::unique_ptr<ReplyParser>& parser : parsers)
    choices_.push_back({std::move(parser), 0, 0, 0, false});
}

void MessageSink::on_event(ReplyEvent event) {
  if (auto* delta = std::get_if<TextDelta>(&event.what)) {
    read(event.choice, std::move(*delta));
  } else if (auto* finished = std::get_if<Finished>(&event.what)) {
    finish(event.choice, std::move(*finished));
  } else {
    client_->on_event(std::move(event));
  }
}

void MessageSink::read(std::int32_t index, TextDelta delta) {
  Choice& choice = choices_.at(static_cast<std::size_t>(index));
  const bool before = choice.parser->thinking();
  choice.parser->feed(delta.text, pieces_);
  if (before || choice.parser->thinking()) choice.reasoning_tokens += delta.tokens;
  delta.text.clear();
  delta.tokens += std::exchange(choice.tokens, 0);
  delta.reasoning = choice.parser->thinking();
  pass_on(index, delta);
  choice.tokens = delta.tokens;
}

void MessageSink::finish(std::int32_t index, Finished finished) {
  Choice& choice = choices_.at(static_cast<std::size_t>(index));
  choice.parser->finish(pieces_);
  TextDelta rest;
  rest.tokens = choice.tokens;
  pass_on(index, rest);
  finished.usage.reasoning_tokens = choice.reasoning_tokens;
  if (choice.calls > 0 && finished.reason == FinishReason::stop && finished.stop.empty())
    finished.reason = FinishReason::tool_calls;
  client_->on_event({index, std::move(finished)});
}

void MessageSink::pass_on(std::int32_t index, TextDelta& rest) {
  Choice& choice = choices_[static_cast<std::size_t>(index)];
  for (ReplyPiece& piece : pieces_) {
    if (piece.kind == ReplyPiece::Kind::call) choice.left_out = one_call_ && choice.calls > 0;
    if (choice.left_out &&
        (piece.kind == ReplyPiece::Kind::call || piece.kind == ReplyPiece::Kind::arguments))
      continue;
    if (piece.kind == ReplyPiece::Kind::call) {
      client_->on_event({index, ToolCallDelta{choice.calls++, new_call_id(), std::move(piece.text), ""}});
    } else if (piece.kind == ReplyPiece::Kind::arguments) {
      client_->on_event({index, ToolCallDelta{choice.calls - 1, "", "", std::move(piece.text)}});
    } else {
      TextDelta delta = std::exchange(rest, {});
      delta.text = std::move(piece.text);
      delta.reasoning = piece.kind == ReplyPiece::Kind::reasoning;
      client_->on_event({index, std::move(delta)});
    }
  }
  pieces_.clear();
  if (rest.logprobs.empty()) return;
  client_->on_event({index, std::exchange(rest, {})});
}

// Nine letters and digits: some templates take no other ids back.
std::string MessageSink::new_call_id() {
  constexpr std::string_view kCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::random_device device;
  std::uniform_int_distribution<std::size_t> place(0, kCharacters.size() - 1);
  std::string id;
  for (int i = 0; i < 9; ++i) id += kCharacters[place(device)];
  return id;
}

}  // namespace pensieve::manage
