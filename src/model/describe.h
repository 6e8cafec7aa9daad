// describe: ModelInfo from a model file's metadata and tensor table: what users see before a model is loaded.
// Not for checking: a file that cannot be loaded is described as far as it can be read.
#pragma once

#include <string>

#include "core/model_file.h"
#include "core/model_info.h"

namespace pensieve::model {

ModelInfo describe(const ModelFile& file, const std::string& path);

}  // namespace pensieve::model
