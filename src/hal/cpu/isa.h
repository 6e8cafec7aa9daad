// Instruction sets of the cpu backend: what this processor has, and the table of kernels for each.
// Included by units compiled for one instruction set, so it holds declarations only.
#pragma once

#include "hal/cpu/kernels.h"

namespace pensieve::hal::cpu {

// Each fills its part of a table. A table for avx512vnni is that of avx512 with other integer products.
void use_integer_scalar(Kernels& table);
void use_float_scalar(Kernels& table);
void use_row_scalar(Kernels& table);
void use_attention_scalar(Kernels& table);
void use_integer_avx2(Kernels& table);
void use_float_avx2(Kernels& table);
void use_row_avx2(Kernels& table);
void use_attention_avx2(Kernels& table);
void use_integer_avx512(Kernels& table);
void use_float_avx512(Kernels& table);
void use_row_avx512(Kernels& table);
void use_attention_avx512(Kernels& table);
void use_integer_avx512vnni(Kernels& table);

}  // namespace pensieve::hal::cpu
