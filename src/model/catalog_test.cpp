// Which files a scan finds, what they are called, and how a reference is resolved.
#include "model/catalog.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "model/tiny_llama_for_test.h"

namespace pensieve::model {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class CatalogTest : public ::testing::Test {
 protected:
  CatalogTest() {
    std::string pattern = ::testing::TempDir() + "catalogXXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    catalog_ = std::make_unique<Catalog>(std::vector<std::string>{folder_.string()});
  }
  ~CatalogTest() override { fs::remove_all(folder_); }
  fs::path add(const fs::path& name, const std::string& bytes) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  fs::path add_model(const fs::path& name) const { return add(name, testing::tiny_llama().bytes); }
  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const CatalogEntry& entry : catalog_->scan().entries) names.push_back(entry.name);
    return names;
  }
  std::string found(std::string_view name) const {
    const Result<CatalogEntry> entry = catalog_->find(name);
    return entry ? entry->name : entry.error().reason;
  }
  fs::path folder_;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(CatalogTest, TheDefaultModelHasItsName) {
  add_model("smollm2-135m-instruct-q4_1.gguf");
  EXPECT_THAT(names(), ElementsAre("smollm2:135m"));
  for (const char* reference : {"smollm2:135m", "SmolLM2:135M", "smollm2", "smollm2:latest",
                                "smollm2:135m-instruct-q4_1", "smollm2-135m-instruct-q4_1", "smollm2-135m"}) {
    EXPECT_EQ(found(reference), "smollm2:135m") << reference;
  }
}

TEST_F(CatalogTest, SharedNamesBelongToNobody) {
  add_model("qwen2-7b-q4_0.gguf");
  add_model("qwen2-7b-q8_0.gguf");
  EXPECT_THAT(names(), ElementsAre("qwen2-7b-q4_0", "qwen2-7b-q8_0"));
  EXPECT_EQ(found("qwen2:7b-q8_0"), "qwen2-7b-q8_0");
  const Result<CatalogEntry> either = catalog_->find("qwen2:7b");
  ASSERT_FALSE(either);
  EXPECT_EQ(either.error().reason, "model_ambiguous");
  EXPECT_THAT(either.error().what, HasSubstr("qwen2-7b-q4_0, qwen2-7b-q8_0"));
}

TEST_F(CatalogTest, EveryEntryHasANameOfItsOwn) {
  add_model("a/same.gguf");
  add_model("b/same.gguf");
  EXPECT_THAT(names(), ElementsAre("same", "same-2"));
}

TEST_F(CatalogTest, LooksIntoFoldersButNotBehindHiddenNamesOrLinkedFolders) {
  add_model("a/b/c/deep.gguf");
  add_model("a/b/c/d/too_deep.gguf");
  add_model(".hidden.gguf");
  add_model(".cache/inside.gguf");
  add("notes.txt", "text");
  fs::create_directory_symlink(folder_, folder_ / "loop");
  fs::create_symlink(folder_ / "absent", folder_ / "dangling.gguf");
  EXPECT_THAT(names(), ElementsAre("deep"));
}

TEST_F(CatalogTest, ALinkIsAnotherNameForTheSameModel) {
  const fs::path file = add_model("store/blob.gguf");
  fs::create_symlink(file, folder_ / "nice.gguf");
  EXPECT_EQ(names().size(), 1U);
  EXPECT_EQ(found("nice"), found("blob"));
}

TEST_F(CatalogTest, BadFilesAreListedWithTheirProblem) {
  add_model("good.gguf");
  add("page.gguf", "<!doctype html>");
  add("other.gguf", [] {
    std::string bytes = testing::tiny_llama().bytes;
    return bytes.replace(bytes.find("llama"), 5, "gamma");
  }());
  const CatalogListing listing = catalog_->scan();
  ASSERT_EQ(listing.entries.size(), 3U);
  EXPECT_EQ(listing.entries[0].problem, "");
  EXPECT_THAT(listing.entries[1].problem, HasSubstr("architecture 'gamma'"));
  EXPECT_THAT(listing.entries[2].problem, HasSubstr("web page"));
  EXPECT_THAT(listing.entries[2].problem, Not(HasSubstr(folder_.string())));
  EXPECT_EQ(listing.entries[2].info.file_bytes, 15U);
}

TEST_F(CatalogTest, AFileThatChangedIsReadAgain) {
  add("model.gguf", "PK\x03\x04");
  EXPECT_THAT(catalog_->scan().entries.front().problem, HasSubstr("zip"));
  add_model("model.gguf");
  EXPECT_EQ(catalog_->scan().entries.front().problem, "");
  fs::remove(folder_ / "model.gguf");
  EXPECT_THAT(catalog_->scan().entries, IsEmpty());
}

TEST_F(CatalogTest, UnknownNamesGetTheNearest) {
  add_model("smollm2-135m-q4_1.gguf");
  add_model("tinyllama.gguf");
  const Result<CatalogEntry> entry = catalog_->find("smolm2:135m");
  ASSERT_FALSE(entry);
  EXPECT_EQ(entry.error().code, Error::Code::not_found);
  EXPECT_EQ(entry.error().reason, "model_not_found");
  EXPECT_EQ(entry.error().field, "model");
  EXPECT_THAT(entry.error().what,
              HasSubstr("there is no model 'smolm2:135m'; the nearest are: smollm2:135m"));
}

TEST_F(CatalogTest, NamesFromClientsNeverOpenFiles) {
  const fs::path file = add_model("model.gguf");
  for (const std::string& name :
       {file.string(), std::string("../model.gguf"), std::string("./model"), std::string("/etc/passwd"),
        std::string("model\0", 6), std::string("a%2e%2e")}) {
    EXPECT_EQ(found(name), "model_not_found") << name;
  }
}

TEST_F(CatalogTest, TheCommandLineMayGiveAPath) {
  const fs::path file = add_model("some where/my-model.gguf");
  const Result<CatalogEntry> entry = catalog_->resolve(file.string());
  ASSERT_TRUE(entry) << entry.error().what;
  EXPECT_EQ(entry->name, "my-model");
  EXPECT_EQ(entry->info.path, file.string());
  const Result<CatalogEntry> absent = catalog_->resolve((folder_ / "absent.gguf").string());
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code, Error::Code::not_found);
}

TEST(ModelDirectories, AreThoseNamedOrTheUsersOwn) {
  const char* home = std::getenv("HOME");
  const std::string before = home == nullptr ? "" : home;
  ::setenv("HOME", "/home/someone", 1);
  EXPECT_THAT(model_directories({.models_dir = {"/models"}}), ElementsAre("/models"));
  EXPECT_THAT(model_directories({}), ElementsAre("/home/someone/.pensieve/models"));
  EXPECT_THAT(absent_directories({.models_dir = {"/", "/nonexistent"}}), ElementsAre("/nonexistent"));
  ::setenv("HOME", before.c_str(), 1);
}

}  // namespace
}  // namespace pensieve::model
