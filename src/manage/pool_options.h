// Options of the model pool: how long unused models stay, and how much all of them may hold.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/option.h"

namespace pensieve::manage {

struct PoolOptions {
  std::int64_t idle_seconds = 0;
  std::int64_t memory_bytes = 0;
  std::int64_t max_models = 0;
  std::vector<std::string> pinned;
};

inline constexpr std::array kPoolOptions{
    Option<PoolOptions>{.key = "idle_seconds",
                        .member = &PoolOptions::idle_seconds,
                        .help = "a model that nobody used for so long is unloaded; 0: never",
                        .unit = "seconds",
                        .minimum = 0,
                        .maximum = 1LL << 31,
                        .live = true},
    Option<PoolOptions>{.key = "memory_bytes",
                        .member = &PoolOptions::memory_bytes,
                        .help = "most memory that all models hold together; 0: what the machine has",
                        .unit = "bytes",
                        .minimum = 0,
                        .maximum = 1LL << 50,
                        .live = true},
    Option<PoolOptions>{.key = "max_models",
                        .member = &PoolOptions::max_models,
                        .help = "models loaded at once; the least recently used one gives way; 0: no limit",
                        .minimum = 0,
                        .maximum = 1 << 20,
                        .live = true},
    Option<PoolOptions>{.key = "pinned",
                        .member = &PoolOptions::pinned,
                        .help = "names of models that never give way to others and stay when idle",
                        .live = true},
};

}  // namespace pensieve::manage
