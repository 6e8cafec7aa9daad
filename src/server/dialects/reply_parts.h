// Pieces of JSON that OpenAI-style replies share. All append text: replies are never built as trees, least of
// all one per token.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/generation.h"

namespace pensieve::server {

// What is constant over one reply.
struct ReplyHead {
  std::string id;
  std::int64_t created = 0;  // seconds since 1970
  std::string model;
  std::string session_id;  // empty: not part of a session
};
ReplyHead make_reply_head(std::string_view id_prefix, std::string_view model);
// {"id":…,"object":OBJECT,"created":…,"model":…,"system_fingerprint":… without the closing brace.
void append_reply_head(const ReplyHead& head, std::string_view object, std::string& out);
std::string_view version_text();  // "pensieve-0.1.0"

void append_string(std::string_view text, std::string& out);  // with quotes
// A log-probability as a JSON number; what no JSON number can say becomes -9999.
void append_logprob(float value, std::string& out);
std::string_view finish_name(FinishReason reason);

// llama-server's fields for what was read and made so far.
void append_timings(const Usage& usage, const Timings& timings, std::string& out);

// Sums over all choices of a reply; a prompt counts once however many choices it has.
class UsageSum {
 public:
  explicit UsageSum(std::size_t generations) : seen_(generations, false) {}
  void add(std::size_t generation, const Finished& finished);
  const Usage& total() const { return total_; }
  void append_usage(std::string& out) const;  // {"prompt_tokens":…}
  void append_timings(std::string& out) const { server::append_timings(total_, slowest_, out); }

 private:
  std::vector<bool> seen_;
  Usage total_;
  Timings slowest_;
};

}  // namespace pensieve::server
