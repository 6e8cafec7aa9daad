// Log-probabilities of an answer's tokens as chat completions and responses show them. Text completions have
// a form of their own (completion_reply.cpp).
#pragma once

#include <string>
#include <vector>

#include "core/generation.h"

namespace pensieve::server {

// Appends {"token","logprob","bytes","top_logprobs":[…]} for each, with commas, also before the first one
// where `out` is not empty: the inside of a list that grows.
void append_logprobs(const std::vector<TokenLogprob>& tokens, std::string& out);

}  // namespace pensieve::server
