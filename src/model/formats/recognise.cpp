// Signatures of what people hand to a model loader by mistake.
#include "model/formats/recognise.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "model/formats/gguf.h"

namespace pensieve::model {
namespace {

struct Signature {
  std::string_view bytes;
  std::string_view description;
};

constexpr auto kSignatures = std::to_array<Signature>({
    {"PK\x03\x04",
     "a zip archive, as PyTorch saves .pt and .bin files; those can run code when read and are never loaded: "
     "convert the model to GGUF"},
    {"\x80\x02",
     "a Python pickle, which can run code when read and is never loaded: convert the model to GGUF"},
    {"\x80\x03",
     "a Python pickle, which can run code when read and is never loaded: convert the model to GGUF"},
    {"\x80\x04",
     "a Python pickle, which can run code when read and is never loaded: convert the model to GGUF"},
    {"\x80\x05",
     "a Python pickle, which can run code when read and is never loaded: convert the model to GGUF"},
    {"version https://git-lfs", "a Git LFS pointer, not the model itself: run `git lfs pull`"},
    {"lmgg", "a GGML file from before GGUF: convert the model to GGUF"},
    {"fmgg", "a GGMF file from before GGUF: convert the model to GGUF"},
    {"tjgg", "a GGJT file from before GGUF: convert the model to GGUF"},
    {"algg", "a GGLA adapter file, not a model"},
    {"FUGG", "a GGUF file with its bytes in reverse order"},
    {"\x1f\x8b", "a gzip archive: unpack it first"},
    {"\x28\xb5\x2f\xfd", "a Zstandard archive: unpack it first"},
    {"\xfd"
     "7zXZ",
     "an xz archive: unpack it first"},
    {"BZh", "a bzip2 archive: unpack it first"},
    {"7z\xbc\xaf", "a 7-zip archive: unpack it first"},
    {"\x89HDF", "an HDF5 file, as Keras writes it: convert the model to GGUF"},
    {"\x7f"
     "ELF",
     "a program, not a model"},
});

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  if (text.size() < prefix.size()) return false;
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(text[i])) != prefix[i]) return false;
  }
  return true;
}

bool is_safetensors(std::string_view text) {
  if (text.size() < 10 || text[8] != '{') return false;
  std::uint64_t header = 0;
  std::memcpy(&header, text.data(), sizeof header);
  return header <= text.size() - 8;
}

std::string describe(std::string_view text) {
  if (text.empty()) return "an empty file: the download may have failed";
  for (const Signature& signature : kSignatures) {
    if (text.substr(0, signature.bytes.size()) == signature.bytes) return std::string(signature.description);
  }
  if (is_safetensors(text))
    return "a SafeTensors file: give the folder that it lies in, with its config.json and tokenizer.json";
  const std::size_t first = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  const std::string_view visible = text.substr(first);
  if (starts_with_ignoring_case(visible, "<!doctype") || starts_with_ignoring_case(visible, "<html") ||
      starts_with_ignoring_case(visible, "<?xml")) {
    return "a web page, not a model: the download may have met a login or error page";
  }
  if (!visible.empty() && visible.front() == '{') return "a JSON text, not a model";
  if (text.size() > 262 && text.substr(257, 5) == "ustar") return "a tar archive: unpack it first";
  if (text.find_first_not_of('\0') == std::string_view::npos)
    return "a file of zeros: the download may be incomplete";
  std::string start;
  for (const char c : text.substr(0, 4))
    start += fmt::format("{}{:02x}", start.empty() ? "" : " ", static_cast<unsigned char>(c));
  return fmt::format("a file of a kind not known here (it begins with the bytes {}): give a GGUF file",
                     start);
}

}  // namespace

Recognised recognise(std::span<const std::byte> bytes) {
  // Enough for every signature; the rest of the file stays untouched.
  constexpr std::size_t kHead = 4096;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.substr(0, kGgufMagic.size()) == kGgufMagic) return {FileKind::gguf, {}};
  if (is_safetensors(text)) return {FileKind::other, describe(text)};
  return {FileKind::other, describe(text.substr(0, kHead))};
}

}  // namespace pensieve::model
