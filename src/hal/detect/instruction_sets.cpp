// CPUID and the operating system's word on register state (x86), or the kernel's capability bits (ARM).
#include "hal/detect/instruction_sets.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace pensieve::hal {
namespace {

#if defined(__x86_64__)

struct Registers {
  unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf = 0) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d) == 0) return {};
  return r;
}

bool all_bits(unsigned value, std::initializer_list<unsigned> bits) {
  return std::all_of(bits.begin(), bits.end(), [value](unsigned bit) { return (value >> bit & 1U) != 0; });
}

// Register state that the operating system saves on a task switch (XCR0); without it the instructions fault.
std::uint64_t saved_state(const Registers& leaf1) {
  if (!all_bits(leaf1.c, {27})) return 0;
  std::uint32_t low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

// Whether the kernel would let this process use the tile registers; asking changes nothing.
bool kernel_offers_tiles() {
  constexpr int kGetSupportedFeatures = 0x1021;  // ARCH_GET_XCOMP_SUPP
  std::uint64_t features = 0;
  return syscall(SYS_arch_prctl, kGetSupportedFeatures, &features) == 0 && (features >> 18 & 1) != 0;
}

// Bit numbers: Intel SDM volume 2A, CPUID.
std::vector<std::string> detect() {
  std::vector<std::string> names{"scalar"};
  const Registers leaf1 = cpuid(1), leaf7 = cpuid(7), leaf7_1 = cpuid(7, 1);
  const std::uint64_t state = saved_state(leaf1);
  const bool vectors = (state & 0x6) == 0x6, wide_vectors = (state & 0xE6) == 0xE6;
  const bool fma_and_halves = all_bits(leaf1.c, {12, 28, 29});
  if (!vectors || !fma_and_halves || !all_bits(leaf7.b, {5, 8})) return names;  // AVX2, BMI2
  names.emplace_back("avx2");
  if (!wide_vectors || !all_bits(leaf7.b, {16, 17, 28, 30, 31})) return names;  // F, DQ, CD, BW, VL
  names.emplace_back("avx512");
  if (!all_bits(leaf7.c, {1, 11})) return names;  // VBMI, VNNI
  names.emplace_back("avx512vnni");
  if (!all_bits(leaf7_1.a, {5})) return names;  // BF16
  names.emplace_back("avx512bf16");
  const bool tiles = (state & 0x60000) == 0x60000 && all_bits(leaf7.d, {22, 24, 25});  // BF16, TILE, INT8
  if (tiles && kernel_offers_tiles()) names.emplace_back("amx");
  return names;
}

#elif defined(__aarch64__)

std::vector<std::string> detect() {
  std::vector<std::string> names{"scalar", "neon"};
#if defined(__linux__)
  if ((getauxval(AT_HWCAP) >> 20 & 1) == 0) return names;  // HWCAP_ASIMDDP
  names.emplace_back("dotprod");
  if ((getauxval(AT_HWCAP2) >> 13 & 1) != 0) names.emplace_back("i8mm");  // HWCAP2_I8MM
#endif
  return names;
}

#else

std::vector<std::string> detect() {
  return {"scalar"};
}

#endif

}  // namespace

std::vector<std::string> detect_instruction_sets() {
  return detect();
}

bool runs_instruction_set(const std::string& name) {
  const std::vector<std::string> names = detect();
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string detect_cpu_name() {
#if defined(__x86_64__)
  std::array<char, 49> name{};
  for (unsigned part = 0; part < 3; ++part) {
    const Registers r = cpuid(0x80000002U + part);
    std::memcpy(name.data() + std::size_t{16} * part, &r, 16);
  }
  std::string text(name.data());
  const std::size_t first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
  return first == std::string::npos ? std::string() : text.substr(first, last - first + 1);
#else
  return {};
#endif
}

}  // namespace pensieve::hal
