// Sources: the cache layout of the library huggingface_hub; Ollama's manifests (as of container registries).
#include "model/stores.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

#include "model/formats/findings.h"
#include "model/formats/gguf_split.h"
#include "model/formats/hf_folder.h"
#include "model/model_name.h"
#include "util/json.h"

namespace pensieve::model {
namespace {

namespace fs = std::filesystem;
constexpr int kDeepest = 4, kDeepestManifest = 5;
constexpr std::size_t kMostFiles = 10000;
constexpr std::uintmax_t kLargestManifest = 1 << 20;
constexpr std::string_view kRepository = "models--";

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}
bool is_folder(const fs::path& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

std::string small_text(const fs::path& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error || size > kLargestManifest) return {};
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class Search {
 public:
  Search(std::vector<StoredModel>& found, std::vector<std::string>& problems)
      : found_(found), problems_(problems) {}

  void folder(const fs::path& path, int depth) {
    if (is_folder(path / "manifests") && is_folder(path / "blobs"))
      return manifests(path, path / "manifests", {});
    if (is_weights_folder(path)) add(path.string(), {});
    for (const fs::directory_entry& entry : entries(path)) {
      std::error_code ignored;
      const std::string name = entry.path().filename().string();
      if (entry.is_regular_file(ignored)) {
        if (lower_case(entry.path().extension().string()) == ".gguf" && !is_later_part(entry.path()))
          add(entry.path().string(), {});
      } else if (entry.is_symlink(ignored) || !entry.is_directory(ignored)) {
        continue;
      } else if (name.starts_with(kRepository) && is_folder(entry.path() / "snapshots")) {
        repository(entry.path());
      } else if (depth < kDeepest) {
        folder(entry.path(), depth + 1);
      }
    }
  }

 private:
  std::vector<fs::directory_entry> entries(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::directory_entry> found;
    for (auto at = fs::directory_iterator(folder, error); !error && at != fs::directory_iterator();
         at.increment(error)) {
      const std::string name = at->path().filename().string();
      if (!name.empty() && name.front() != '.') found.push_back(*at);
    }
    if (error)
      problems_.push_back("cannot read the model directory " + printable(folder.string()) + ": " +
                          error.message());
    std::sort(found.begin(), found.end());
    return found;
  }

  static bool is_weights_folder(const fs::path& path) {
    return is_hf_folder(path.string()) &&
           (is_file(path / "model.safetensors") || is_file(path / "model.safetensors.index.json"));
  }
  // The first part stands for all, unless it is missing: then the others tell so.
  static bool is_later_part(const fs::path& path) {
    const auto part = split_name(path.stem().string());
    return part && part->number > 1 &&
           is_file(path.parent_path() / (part->part(1) + path.extension().string()));
  }

  void add(std::string path, std::vector<std::string> names) {
    std::erase_if(names, [](const std::string& name) { return !valid_name(name); });
    if (found_.size() < kMostFiles) found_.push_back({std::move(path), std::move(names)});
  }

  // models--ORG--NAME/snapshots/COMMIT, where refs/main holds COMMIT.
  void repository(const fs::path& path) {
    std::string commit = small_text(path / "refs" / "main");
    while (!commit.empty() && commit.back() <= ' ') commit.pop_back();
    const bool plain = !commit.empty() && commit.find('/') == std::string::npos && commit.front() != '.';
    fs::path snapshot = path / "snapshots" / commit;
    if (!plain || !is_folder(snapshot)) {
      const std::vector<fs::directory_entry> all = entries(path / "snapshots");
      if (all.empty()) return;
      snapshot = all.back().path();
    }
    const std::size_t before = found_.size();
    folder(snapshot, 2);
    std::string name = path.filename().string().substr(kRepository.size());
    std::string brief = name;
    if (const std::size_t dashes = name.find("--"); dashes != std::string::npos) {
      brief = name.substr(dashes + 2);
      name.replace(dashes, 2, "/");
    }
    // A snapshot's folder is called by a number; a repository with one file is that file.
    for (std::size_t i = before; i < found_.size(); ++i) {
      const bool is_snapshot = fs::path(found_[i].path) == snapshot;
      if (!is_snapshot && found_.size() != before + 1) continue;
      for (const std::string& known : {brief, name}) {
        if (valid_name(known)) found_[i].names.push_back(known);
      }
    }
  }

  // manifests/HOST/NAMESPACE/MODEL/TAG, each a list of blobs by digest.
  void manifests(const fs::path& store, const fs::path& at, std::vector<std::string> way) {
    for (const fs::directory_entry& entry : entries(at)) {
      std::error_code ignored;
      std::vector<std::string> here = way;
      here.push_back(entry.path().filename().string());
      if (entry.is_directory(ignored) && !entry.is_symlink(ignored) &&
          way.size() < static_cast<std::size_t>(kDeepestManifest)) {
        manifests(store, entry.path(), std::move(here));
      } else if (entry.is_regular_file(ignored) && here.size() >= 3) {
        if (const auto blob = weights_blob(store, entry.path())) add(blob->string(), manifest_names(here));
      }
    }
  }

  static std::optional<fs::path> weights_blob(const fs::path& store, const fs::path& manifest) {
    const Result<util::Json> json = util::parse_json(small_text(manifest));
    if (!json || !json->is_object()) return std::nullopt;
    const auto layers = json->find("layers");
    if (layers == json->end() || !layers->is_array()) return std::nullopt;
    for (const util::Json& layer : *layers) {
      if (!layer.is_object() ||
          layer.value("mediaType", util::Json()) != "application/vnd.ollama.image.model")
        continue;
      const util::Json digest = layer.value("digest", util::Json());
      if (!digest.is_string()) continue;
      std::string name = digest.get<std::string>();
      constexpr std::string_view kKind = "sha256:", kDigits = "0123456789abcdef";
      if (!name.starts_with(kKind) || name.size() != kKind.size() + 64 ||
          name.find_first_not_of(kDigits, kKind.size()) != std::string::npos)
        continue;
      name[kKind.size() - 1] = '-';
      if (is_file(store / "blobs" / name)) return store / "blobs" / name;
    }
    return std::nullopt;
  }

  // As Ollama's users write them: without its own registry and without the namespace "library".
  static std::vector<std::string> manifest_names(const std::vector<std::string>& way) {
    std::size_t from = 0;
    if (way[0] == "registry.ollama.ai") from = way[1] == "library" && way.size() > 3 ? 2 : 1;
    std::string name;
    for (std::size_t i = from; i + 1 < way.size(); ++i) name += (name.empty() ? "" : "/") + way[i];
    std::vector<std::string> names{name + ":" + way.back()};
    if (way.back() == "latest") names.push_back(name);
    return names;
  }

  std::vector<StoredModel>& found_;
  std::vector<std::string>& problems_;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

void find_models(const std::string& folder, std::vector<StoredModel>& found,
                 std::vector<std::string>& problems) {
  Search(found, problems).folder(folder, 1);
}

std::vector<std::string> stores_of_others() {
  const fs::path home = variable("HOME");
  std::vector<fs::path> places;
  if (const std::string cache = variable("HF_HUB_CACHE"); !cache.empty()) {
    places.emplace_back(cache);
  } else if (const std::string own = variable("HF_HOME"); !own.empty()) {
    places.push_back(fs::path(own) / "hub");
  } else if (!home.empty()) {
    places.push_back(home / ".cache" / "huggingface" / "hub");
  }
  if (const std::string ollama = variable("OLLAMA_MODELS"); !ollama.empty()) {
    places.emplace_back(ollama);
  } else if (!home.empty()) {
    places.push_back(home / ".ollama" / "models");
  }
  if (!home.empty()) {
    places.push_back(home / ".lmstudio" / "models");
    places.push_back(home / ".cache" / "lm-studio" / "models");
  }
  std::vector<std::string> there;
  for (const fs::path& place : places) {
    if (is_folder(place)) there.push_back(place.string());
  }
  return there;
}

}  // namespace pensieve::model
