// What is found in folders as users and other programs lay them out, and by which names.
#include "model/stores.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "model/catalog.h"
#include "model/tiny_llama_for_test.h"

namespace pensieve::model {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StoresTest : public ::testing::Test {
 protected:
  StoresTest() {
    std::string pattern = ::testing::TempDir() + "storesXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~StoresTest() override { fs::remove_all(folder_); }

  fs::path add(const fs::path& name, const std::string& bytes) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  void add_weights_folder(const fs::path& name) const {
    add(name / "config.json", "{}");
    add(name / "model.safetensors", "");
  }
  std::vector<StoredModel> found() const {
    std::vector<StoredModel> models;
    std::vector<std::string> problems;
    find_models(folder_.string(), models, problems);
    EXPECT_THAT(problems, IsEmpty());
    return models;
  }
  std::vector<std::string> paths() const {
    std::vector<std::string> all;
    for (const StoredModel& model : found()) all.push_back(fs::relative(model.path, folder_).string());
    return all;
  }

  fs::path folder_;
};

TEST_F(StoresTest, FoldersAndFilesAndFirstParts) {
  add_weights_folder("Qwen3-0.6B");
  add("bits/config.json", "{}");  // no weights beside it
  add("publisher/repository/model.Q4_K.gguf", "");
  add("big-00001-of-00002.gguf", "");
  add("big-00002-of-00002.gguf", "");
  add("rest-00002-of-00002.gguf", "");  // its first part is missing: it tells so
  add(".hidden/model.gguf", "");
  EXPECT_THAT(paths(), ElementsAre("Qwen3-0.6B", "big-00001-of-00002.gguf",
                                   "publisher/repository/model.Q4_K.gguf", "rest-00002-of-00002.gguf"));
}

TEST_F(StoresTest, TheCacheOfHuggingFaceIsReadInPlace) {
  const fs::path repository = "models--Qwen--Qwen3-0.6B";
  add(repository / "refs/main", "bbb\n");
  add_weights_folder(repository / "snapshots/aaa");
  add(repository / "snapshots/bbb/config.json", "{}");
  fs::create_directories(folder_ / repository / "blobs");
  add(repository / "blobs/123", "");
  fs::create_symlink("../../blobs/123", folder_ / repository / "snapshots/bbb/model.safetensors");
  add("models--me--files/snapshots/ccc/one.gguf", "");
  add("models--me--files/snapshots/ccc/two.gguf", "");
  add("datasets--me--rows/snapshots/ddd/rows.txt", "");
  const std::vector<StoredModel> models = found();
  ASSERT_EQ(models.size(), 3U);
  EXPECT_EQ(fs::path(models[0].path).filename(), "bbb");
  EXPECT_THAT(models[0].names, ElementsAre("Qwen3-0.6B", "Qwen/Qwen3-0.6B"));
  EXPECT_THAT(models[1].names, IsEmpty());  // one of several files is called by its own name
}

TEST_F(StoresTest, OllamasStoreIsReadInPlace) {
  const std::string digits(64, 'a');
  const std::string manifest =
      R"({"layers":[{"mediaType":"application/vnd.ollama.image.template","digest":"sha256:)" +
      std::string(64, 'b') + R"("},{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:)" +
      digits + R"("}]})";
  add("blobs/sha256-" + digits, "");
  add("manifests/registry.ollama.ai/library/llama3/8b", manifest);
  add("manifests/registry.ollama.ai/someone/phi/latest", manifest);
  add("manifests/hf.co/someone/files/Q4_K_M", manifest);
  add("manifests/registry.ollama.ai/library/broken/1", "{");
  add("manifests/registry.ollama.ai/library/outside/1",
      R"({"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:../../secret"}]})");
  add("manifests/registry.ollama.ai/library/gone/1",
      R"({"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:)" +
          std::string(64, 'c') + R"("}]})");
  std::vector<std::string> names;
  for (const StoredModel& model : found()) {
    EXPECT_EQ(fs::path(model.path).filename(), "sha256-" + digits);
    names.insert(names.end(), model.names.begin(), model.names.end());
  }
  EXPECT_THAT(names,
              ElementsAre("hf.co/someone/files:Q4_K_M", "llama3:8b", "someone/phi:latest", "someone/phi"));
}

TEST_F(StoresTest, TheCatalogKnowsThemByName) {
  const std::string digits(64, 'a');
  add("blobs/sha256-" + digits, testing::tiny_llama().bytes);
  add("manifests/registry.ollama.ai/library/tiny/8b",
      R"({"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:)" + digits +
          R"("}]})");
  Catalog catalog({folder_.string()});
  const auto entry = catalog.find("tiny:8b");
  ASSERT_TRUE(entry) << entry.error().what;
  EXPECT_EQ(entry->problem, "");
  EXPECT_EQ(entry->info.name, "tiny:8b");
  EXPECT_EQ(fs::path(entry->info.path).filename(), "sha256-" + digits);
}

TEST_F(StoresTest, OnlyPlacesThatAreThereCount) {
  fs::create_directories(folder_ / ".ollama/models");
  fs::create_directories(folder_ / "hub");
  const std::vector<std::pair<const char*, std::string>> settings{
      {"HOME", folder_.string()}, {"HF_HUB_CACHE", (folder_ / "hub").string()}, {"OLLAMA_MODELS", ""}};
  std::vector<std::pair<const char*, std::string>> before;
  for (const auto& [name, value] : settings) {
    const char* old = std::getenv(name);
    before.emplace_back(name, old != nullptr ? old : "");
    ::setenv(name, value.c_str(), 1);
  }
  EXPECT_THAT(stores_of_others(),
              ElementsAre((folder_ / "hub").string(), (folder_ / ".ollama/models").string()));
  for (const auto& [name, value] : before) ::setenv(name, value.c_str(), 1);
}

}  // namespace
}  // namespace pensieve::model
