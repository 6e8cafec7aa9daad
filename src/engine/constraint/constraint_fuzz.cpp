// Fuzz target: any bytes as a schema, pattern or grammar, and a walk along what it allows. The first byte
// chooses the kind, the second the bytes of the walk. Nothing may crash or hang; what is refused says why.
#include <cstdint>
#include <string>

#include "engine/constraint/compile.h"
#include "engine/constraint/machine.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using pensieve::Constraint;
  namespace engine = pensieve::engine;
  if (size < 2 || size > 2000) return 0;
  const auto kind = static_cast<Constraint::Kind>(1 + data[0] % 4);
  const std::string source(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto program = engine::constraint::compile(Constraint{kind, source});
  if (!program) {
    if (program.error().what.empty()) __builtin_trap();
    return 0;
  }
  try {
    engine::constraint::Machine machine(program->graph, program->root);
    engine::constraint::State state = machine.start();
    std::uint32_t random = data[1];
    for (int step = 0; step < 64 && machine.may_go_on(state); ++step) {
      random = random * 1664525U + 1013904223U;
      engine::constraint::State next = engine::constraint::kDead;
      for (unsigned byte = 0; byte < 256 && next == engine::constraint::kDead; ++byte)
        next = machine.next(state, static_cast<std::uint8_t>(byte + (random >> 16U)));
      if (next == engine::constraint::kDead) __builtin_trap();  // a state that can neither go on nor end
      state = next;
    }
  } catch (const engine::constraint::Refusal&) {
    return 0;
  }
  return 0;
}
