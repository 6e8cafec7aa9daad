// Choice of kernels at run time. Not for use by the kernels' own units (isa.h).
#pragma once

#include <string_view>
#include <vector>

#include "core/result.h"
#include "hal/cpu/kernels.h"

namespace pensieve::hal::cpu {

// Names of the instruction sets that this processor runs, the best last.
std::vector<std::string_view> instruction_sets();

// The table for `name`; empty: the best. An unknown or absent one is an error that lists those there are.
Result<Kernels> select_kernels(std::string_view name);

}  // namespace pensieve::hal::cpu
