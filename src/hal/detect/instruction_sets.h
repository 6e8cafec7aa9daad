// Which of the instruction sets that kernels are written for this machine runs, operating system support
// included. Names, weakest first: scalar, avx2, avx512, avx512vnni, avx512bf16, amx; on ARM: scalar, neon,
// dotprod, i8mm. Each name means exactly the flags that cmake/module.cmake compiles its files with.
#pragma once

#include <string>
#include <vector>

namespace pensieve::hal {

std::vector<std::string> detect_instruction_sets();
bool runs_instruction_set(const std::string& name);

// What the processor calls itself; empty when it does not say.
std::string detect_cpu_name();

}  // namespace pensieve::hal
