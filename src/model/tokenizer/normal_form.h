// The normal forms of Unicode over UTF-8. Not for case, accents or locales.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pensieve::model {

enum class NormalForm : std::uint8_t { nfc, nfd, nfkc, nfkd };

std::optional<NormalForm> find_normal_form(std::string_view name);  // "nfc"

// Bytes that are not UTF-8 stay as they are and part what is normalised.
std::string normalised(std::string_view text, NormalForm form);

}  // namespace pensieve::model
