// Judges SafeTensors files that come on standard input, each after its length (64 bits, little-endian): a
// line for each, "sound" or why not. For compare.py; not a tool for users.
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "model/formats/safetensors.h"

int main() {
  std::ios::sync_with_stdio(false);
  std::uint64_t size = 0;
  while (std::cin.read(reinterpret_cast<char*>(&size), sizeof size)) {
    std::vector<char> bytes(static_cast<std::size_t>(size));
    if (!std::cin.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) return 1;
    const auto tensors = pensieve::model::parse_safetensors(std::as_bytes(std::span(bytes)));
    std::string verdict = tensors ? "sound" : tensors.error().what;
    for (char& c : verdict) c = c == '\n' ? ' ' : c;
    std::cout << verdict << '\n';
  }
  return 0;
}
