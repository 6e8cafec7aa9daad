// libFuzzer target: a SafeTensors file. Every byte of each accepted tensor must be readable, and errors
// speak.
#include <cstddef>
#include <cstdint>

#include "model/formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data), size);
  const auto tensors = pensieve::model::parse_safetensors(bytes);
  if (!tensors) {
    if (tensors.error().what.empty()) __builtin_trap();
    return 0;
  }
  for (const pensieve::model::SafeTensor& tensor : *tensors) {
    for (const std::byte& byte : tensor.bytes)
      static_cast<void>(*const_cast<const volatile std::byte*>(&byte));
  }
  return 0;
}
