// Choice of kernels at run time, from what the processor and the operating system say that they can do.
#include "hal/cpu/dispatch.h"

#include <string>

#include "hal/cpu/isa.h"
#include "hal/detect/instruction_sets.h"

namespace pensieve::hal::cpu {
namespace {

struct InstructionSet {
  const char* name;
  void (*fill)(Kernels& table);
};

void fill_scalar(Kernels& table) {
  use_integer_scalar(table);
  use_float_scalar(table);
  use_row_scalar(table);
  use_attention_scalar(table);
}

#if defined(__x86_64__)
void fill_avx2(Kernels& table) {
  use_integer_avx2(table);
  use_float_avx2(table);
  use_row_avx2(table);
  use_attention_avx2(table);
}
void fill_avx512(Kernels& table) {
  use_integer_avx512(table);
  use_float_avx512(table);
  use_row_avx512(table);
  use_attention_avx512(table);
}
void fill_avx512vnni(Kernels& table) {
  fill_avx512(table);
  use_integer_avx512vnni(table);
}
#endif

constexpr InstructionSet kInstructionSets[] = {
    {"scalar", &fill_scalar},
#if defined(__x86_64__)
    {"avx2", &fill_avx2},
    {"avx512", &fill_avx512},
    {"avx512vnni", &fill_avx512vnni},
#endif
};

}  // namespace

std::vector<std::string_view> instruction_sets() {
  std::vector<std::string_view> names;
  for (const InstructionSet& set : kInstructionSets) {
    if (runs_instruction_set(set.name)) names.emplace_back(set.name);
  }
  return names;
}

Result<Kernels> select_kernels(std::string_view name) {
  const InstructionSet* chosen = nullptr;
  for (const InstructionSet& set : kInstructionSets) {
    if ((name.empty() || name == set.name) && runs_instruction_set(set.name)) chosen = &set;
  }
  if (chosen == nullptr) {
    std::string known;
    for (const auto present : instruction_sets()) known += (known.empty() ? "" : ", ") + std::string(present);
    return fail(Error::Code::unsupported,
                "instruction set \"" + std::string(name) +
                    "\" has no kernels here, or this processor lacks it; available: " + known,
                "isa");
  }
  Kernels table{};
  table.name = chosen->name;
  chosen->fill(table);
  return table;
}

}  // namespace pensieve::hal::cpu
