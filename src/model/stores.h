// Where model files lie: plain folders, and the stores of other programs, which are read in place and never
// changed. Not what the files hold (catalog.h) and not downloads.
#pragma once

#include <string>
#include <vector>

namespace pensieve::model {

struct StoredModel {
  std::string path;                // a GGUF file (of a split model the first part), or a SafeTensors folder
  std::vector<std::string> names;  // that the store knows it by, the shortest first; empty: its file's name
};

// Models below `folder`, sorted so that two scans agree. Files *.gguf and folders with a config.json beside
// model.safetensors (or its index), to a depth of four, without what is hidden; links to files are followed,
// links to directories are not. Recognised wherever it stands: a folder of the Hugging Face cache
// (models--ORG--NAME, of which the snapshot that refs/main names counts) and the store of Ollama (manifests
// beside blobs).
void find_models(const std::string& folder, std::vector<StoredModel>& found,
                 std::vector<std::string>& problems);

// The folders of the Hugging Face cache, Ollama and LM Studio of whoever runs the program, as far as they are
// there: HF_HUB_CACHE, HF_HOME, OLLAMA_MODELS, and their defaults below HOME.
std::vector<std::string> stores_of_others();

}  // namespace pensieve::model
