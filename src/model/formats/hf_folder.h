// A SafeTensors folder as Hugging Face lays it out: config.json, one file of tensors or several with an
// index, and the tokenizer's files, opened as one ModelFile with GGUF's keys and names.
#pragma once

#include <memory>
#include <string>

#include "core/model_file.h"

namespace pensieve::model {

bool is_hf_folder(const std::string& path);  // holds a config.json

// Every file in the folder is foreign: names that leave it are refused, JSON is limited in size. Links are
// followed, as the Hugging Face cache consists of them.
Result<std::unique_ptr<ModelFile>> open_hf_folder(const std::string& path);

}  // namespace pensieve::model
