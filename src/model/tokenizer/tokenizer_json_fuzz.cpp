// libFuzzer target: a tokenizer.json, then, after a NUL byte, a tokenizer_config.json, then a text. Checks
// that nothing crashes and that ids are of the vocabulary.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "model/tokenizer/tokenizer_factory.h"
#include "model/tokenizer/tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto part = [&rest] {
    const std::size_t end = rest.find('\0');
    const std::string_view taken = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    return taken;
  };
  const std::string_view tokenizer = part(), configuration = part();
  pensieve::Metadata metadata;
  if (!pensieve::model::add_tokenizer_json(tokenizer, configuration, metadata)) return 0;
  const auto made = pensieve::model::make_tokenizer(metadata);
  if (!made) return 0;
  std::vector<std::int32_t> tokens;
  (*made)->encode(rest, {true, true}, tokens);
  for (const std::int32_t token : tokens) {
    if (token < 0 || token >= (*made)->vocabulary()) std::abort();
  }
  return 0;
}
