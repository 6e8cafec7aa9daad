// What a *.codec.h file may use when the host compiles it. Devices that compile codecs themselves (CUDA, OpenCL, Metal)
// define the same names for their language. The files are C without library calls, so that one text serves all.
//
// A codec file NAME.codec.h defines
//   enum { NAME_ggml_type, NAME_block_elements, NAME_block_bytes };
//   PENSIEVE_FN void NAME_decode8(PENSIEVE_GLOBAL const unsigned char* block, int first, float* out);
//   (tables outside functions are declared PENSIEVE_CONSTANT)
//   and, inside #ifdef PENSIEVE_HOST, NAME_encode and `#define PENSIEVE_CODEC_ENCODER &NAME_encode`, or `nullptr` there.
#pragma once

#include <cmath>
#include <cstring>

#include "core/codec.h"
#include "core/codecs/fit.h"
#include "core/codecs/super_block.h"
#include "core/half.h"

#define PENSIEVE_HOST 1
#define PENSIEVE_FN static inline
#define PENSIEVE_GLOBAL
#define PENSIEVE_CONSTANT static const
#define PENSIEVE_HALF_TO_FLOAT(bits) ::pensieve::half_to_float(bits)
#define PENSIEVE_FLOAT_FROM_BITS(bits) ::pensieve::float_from_bits(bits)
