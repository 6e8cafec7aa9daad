// See completion_reply.h.
#include "server/dialects/completion_reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <variant>

#include "util/unicode.h"

namespace pensieve::server {
namespace {

// A token's bytes as text. Part of a character is shown as OpenAI does, so that different parts stay
// different.
std::string token_text(std::string_view bytes) {
  if (util::valid_utf8(bytes)) return std::string(bytes);
  std::string out = "bytes:";
  for (const char byte : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  return out;
}

std::int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

void append_top(const TokenLogprob& entry, std::string& out) {
  std::set<std::string> names;  // two tokens may spell the same text, but the keys of an object are unique
  out += '{';
  for (const auto& alternative : entry.top) {
    std::string name = token_text(alternative.bytes);
    if (!names.insert(name).second) continue;
    if (names.size() > 1) out += ',';
    append_string(name, out);
    out += ':';
    append_logprob(alternative.logprob, out);
  }
  out += '}';
}

}  // namespace

void OldLogprobs::add(const std::vector<TokenLogprob>& tokens, bool first_unknown) {
  for (const TokenLogprob& entry : tokens) {
    const bool unknown = first_unknown && &entry == &tokens.front();
    if (!tokens_.empty()) {
      for (std::string* list : {&tokens_, &logprobs_, &top_, &offsets_}) *list += ',';
    }
    const std::string text = token_text(entry.bytes);
    append_string(text, tokens_);
    offsets_ += std::to_string(offset_);
    offset_ += characters(text);
    if (unknown) {
      logprobs_ += "null";
      top_ += "null";
    } else {
      append_logprob(entry.logprob, logprobs_);
      append_top(entry, top_);
    }
  }
}

std::string OldLogprobs::take() {
  std::string out = "{\"tokens\":[" + tokens_ + "],\"token_logprobs\":[" + logprobs_ +
                    "],\"top_logprobs\":[" + top_ + "],\"text_offset\":[" + offsets_ + "]}";
  for (std::string* list : {&tokens_, &logprobs_, &top_, &offsets_}) list->clear();
  return out;
}

CompletionDocument::CompletionDocument(const CompletionCall& completion, ReplyHead head,
                                       const std::vector<std::string>& echoes)
    : head_(std::move(head)),
      logprobs_(completion.call.generation.top_logprobs >= 0),
      per_prompt_(static_cast<std::size_t>(completion.call.generation.choices)),
      choices_(completion.prompts.size() * per_prompt_),
      usage_(completion.prompts.size()) {
  for (std::size_t i = 0; i < choices_.size() && !echoes.empty(); ++i)
    choices_[i].text = echoes[i / per_prompt_];
}

void CompletionDocument::receive(std::size_t generation, ReplyEvent& event) {
  Choice& choice = choices_[generation * per_prompt_ + static_cast<std::size_t>(event.choice)];
  if (const auto* delta = std::get_if<TextDelta>(&event.what)) {
    choice.text += delta->text;
    if (logprobs_) choice.logprobs.add(delta->logprobs, false);
  } else if (const auto* prompt = std::get_if<PromptLogprobs>(&event.what)) {
    if (logprobs_) choice.logprobs.add(prompt->tokens, true);
  } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
    choice.reason = finished->reason;
    usage_.add(generation, *finished);
  }
}

std::string CompletionDocument::text() {
  std::string out;
  append_reply_head(head_, "text_completion", out);
  out += ",\"choices\":[";
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    Choice& choice = choices_[i];
    out += i > 0 ? ",{\"text\":" : "{\"text\":";
    append_string(choice.text, out);
    out += ",\"index\":" + std::to_string(i) + ",\"logprobs\":";
    out += logprobs_ ? choice.logprobs.take() : "null";
    out += ",\"finish_reason\":";
    append_string(finish_name(choice.reason), out);
    out += '}';
  }
  out += "],\"usage\":";
  usage_.append_usage(out);
  out += ",\"timings\":";
  usage_.append_timings(out);
  return out + "}";
}

CompletionStream::CompletionStream(const CompletionCall& completion, ReplyHead head,
                                   std::vector<std::string> echoes, Exchange& exchange)
    : exchange_(exchange),
      logprobs_(completion.call.generation.top_logprobs >= 0),
      include_usage_(completion.call.include_usage),
      per_prompt_(static_cast<std::size_t>(completion.call.generation.choices)),
      open_(completion.prompts.size() * per_prompt_),
      echoes_(std::move(echoes)),
      waiting_(open_),
      usage_(completion.prompts.size()) {
  append_reply_head(head, "text_completion", front_);
  front_ += ",\"choices\":[";
}

void CompletionStream::send(std::size_t choice, std::string_view text, std::string_view finish_reason,
                            std::string_view extra) {
  chunk_ = front_;
  chunk_ += "{\"text\":";
  append_string(text, chunk_);
  chunk_ += ",\"index\":" + std::to_string(choice) + ",\"logprobs\":";
  chunk_ += waiting_[choice].empty() ? "null" : waiting_[choice].take();
  chunk_ += ",\"finish_reason\":";
  chunk_ += finish_reason;
  chunk_ += include_usage_ ? "}],\"usage\":null" : "}]";
  chunk_ += extra;
  chunk_ += '}';
  exchange_.send_event("", chunk_);
}

void CompletionStream::receive(std::size_t generation, ReplyEvent& event) {
  const std::size_t choice = generation * per_prompt_ + static_cast<std::size_t>(event.choice);
  if (std::holds_alternative<Started>(event.what)) {
    // With log-probabilities the echo goes out together with those of the prompt, which come next.
    if (!echoes_.empty() && !logprobs_) send(choice, echoes_[generation], "null");
  } else if (const auto* prompt = std::get_if<PromptLogprobs>(&event.what)) {
    if (logprobs_) waiting_[choice].add(prompt->tokens, true);
    if (!echoes_.empty()) send(choice, echoes_[generation], "null");
  } else if (const auto* delta = std::get_if<TextDelta>(&event.what)) {
    if (logprobs_) waiting_[choice].add(delta->logprobs, false);
    if (!delta->text.empty() || !waiting_[choice].empty()) send(choice, delta->text, "null");
  } else if (const auto* finished = std::get_if<Finished>(&event.what)) {
    usage_.add(generation, *finished);
    std::string reason, timings;
    append_string(finish_name(finished->reason), reason);
    if (--open_ == 0) {
      timings = ",\"timings\":";
      usage_.append_timings(timings);
    }
    send(choice, "", reason, timings);
  }
}

void CompletionStream::finish() {
  if (include_usage_) {
    chunk_ = front_ + "],\"usage\":";
    usage_.append_usage(chunk_);
    chunk_ += '}';
    exchange_.send_event("", chunk_);
  }
  exchange_.send_event("", "[DONE]");
}

}  // namespace pensieve::server
