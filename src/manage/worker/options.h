// Options of worker processes: whether models run in processes of their own, and when one is given up.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/option.h"

namespace pensieve::manage {

struct WorkerOptions {
  std::string isolation = "process";
  std::int64_t silence_timeout = 10;
  std::int64_t stall_timeout = 300;
  std::int64_t load_timeout = 1800;
  std::int64_t examine_timeout = 20;
};

inline constexpr std::array<std::string_view, 2> kIsolations{"process", "none"};
inline constexpr std::array kWorkerOptions{
    Option<WorkerOptions>{.key = "isolation",
                          .member = &WorkerOptions::isolation,
                          .help =
                              "process: each model runs in a process of its own, whose crash ends no other; "
                              "none: all in the server's",
                          .allowed = kIsolations},
    Option<WorkerOptions>{.key = "silence_timeout",
                          .member = &WorkerOptions::silence_timeout,
                          .help = "a model's process without any sign of life for so long is ended",
                          .unit = "s",
                          .minimum = 2,
                          .maximum = 3600},
    Option<WorkerOptions>{
        .key = "stall_timeout",
        .member = &WorkerOptions::stall_timeout,
        .help = "a model's process that has work but ends no step and answers nothing for so long is ended",
        .unit = "s",
        .minimum = 2,
        .maximum = 86400},
    Option<WorkerOptions>{.key = "load_timeout",
                          .member = &WorkerOptions::load_timeout,
                          .help = "longest time to load a model",
                          .unit = "s",
                          .minimum = 1,
                          .maximum = 86400},
    Option<WorkerOptions>{.key = "examine_timeout",
                          .member = &WorkerOptions::examine_timeout,
                          .help = "longest time to read the head of one model file for listings",
                          .unit = "s",
                          .minimum = 1,
                          .maximum = 3600},
};

}  // namespace pensieve::manage
