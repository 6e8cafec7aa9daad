// Options of the hardware layer: which device runs a model and with how many threads.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/option.h"

namespace pensieve::hal {

struct Options {
  std::string backend = "auto";
  std::int64_t threads = 0;
  std::string isa;
};

inline constexpr std::array<std::string_view, 7> kBackends{"auto",  "cpu",       "cuda", "opencl",
                                                           "metal", "reference", "null"};
inline constexpr std::array kOptions{
    Option<Options>{.key = "backend",
                    .member = &Options::backend,
                    .help = "device that runs the model",
                    .allowed = kBackends},
    Option<Options>{.key = "threads",
                    .member = &Options::threads,
                    .help = "compute threads; 0: one for each physical core",
                    .unit = "threads",
                    .minimum = 0,
                    .maximum = 1024},
    Option<Options>{.key = "isa",
                    .member = &Options::isa,
                    .help = "force an instruction set that `doctor` lists; empty: the best"},
};

}  // namespace pensieve::hal
