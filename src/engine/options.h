// Options of the engine: how many sequences, how much context, how large a step.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/option.h"

namespace pensieve::engine {

struct Options {
  std::int64_t context = 0;      // per request; 0: trained context or what memory allows
  std::int64_t parallel = 16;    // sequences that run at once
  std::int64_t queue = 1024;     // requests that may wait
  std::int64_t step_rows = 512;  // most rows (prompt and decode) in one step
  std::int64_t page_tokens = 16;
  std::int64_t kv_tokens =
      0;  // tokens of state kept in all, shared by sequences and cache; 0: what the context needs
  std::string kv_type = "f16";
  bool prefix_cache = true;
  std::string quantize;  // the type that weights get while loading; empty: their own
};

inline constexpr std::array<std::string_view, 3> kKvTypes{"f16", "f32", "q8_0"};
inline constexpr std::array<std::string_view, 10> kQuantizations{"",       "q8_0", "q6_k", "q5_k", "q4_k",
                                                                 "q4_k_m", "q4_0", "q4_1", "q3_k", "q2_k"};
inline constexpr std::array kOptions{
    Option<Options>{.key = "context",
                    .member = &Options::context,
                    .help = "context of one request; 0: as trained, or what memory allows",
                    .unit = "tokens",
                    .minimum = 0,
                    .maximum = 1 << 24},
    Option<Options>{.key = "parallel",
                    .member = &Options::parallel,
                    .help = "requests that run at once; others wait",
                    .minimum = 1,
                    .maximum = 1024},
    Option<Options>{.key = "queue",
                    .member = &Options::queue,
                    .help = "requests that may wait; further ones are refused with 503",
                    .minimum = 0,
                    .maximum = 1 << 20},
    Option<Options>{.key = "step_rows",
                    .member = &Options::step_rows,
                    .help = "most tokens computed in one step, prompts and answers together",
                    .unit = "tokens",
                    .minimum = 1,
                    .maximum = 16384},
    Option<Options>{.key = "page_tokens",
                    .member = &Options::page_tokens,
                    .help = "tokens in a page of cached state, a multiple of 16",
                    .unit = "tokens",
                    .minimum = 16,
                    .maximum = 256,
                    .multiple_of = 16},
    Option<Options>{.key = "kv_tokens",
                    .member = &Options::kv_tokens,
                    .help = "tokens of cached state in all, shared by running requests and prefix cache; 0: "
                            "chosen from context and memory",
                    .unit = "tokens",
                    .minimum = 0,
                    .maximum = 1LL << 32},
    Option<Options>{.key = "kv_type",
                    .member = &Options::kv_type,
                    .help = "number format of cached keys and values",
                    .allowed = kKvTypes},
    Option<Options>{.key = "prefix_cache",
                    .member = &Options::prefix_cache,
                    .help = "reuse the state of earlier prompts with the same beginning"},
    Option<Options>{
        .key = "quantize",
        .member = &Options::quantize,
        .help = "type that larger weights are quantized to while loading; empty: as the file has them",
        .allowed = kQuantizations},
};

}  // namespace pensieve::engine
