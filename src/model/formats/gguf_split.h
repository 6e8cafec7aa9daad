// Models cut into several GGUF files, NAME-00001-of-00003.gguf and so on, found as one. Not for joining them
// on disk: each part stays mapped where it lies.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/model_file.h"
#include "core/result.h"
#include "model/formats/gguf.h"

namespace pensieve::model {

struct SplitName {
  std::string stem;                            // without the part's number
  std::int64_t number = 0, count = 0;          // from 1
  std::string part(std::int64_t index) const;  // a file's name without suffix
};

// What a file's name without suffix says; nothing where it names no part.
std::optional<SplitName> split_name(std::string_view file_stem);

// `some`: the content of the part at `path`, whichever it is. Errors: the file is not named as its part must
// be, or parts are missing (all of them named). That parts do not belong together stands in the report.
Result<std::unique_ptr<ModelFile>> open_split_gguf(const std::string& path, const GgufContent& some);

}  // namespace pensieve::model
