// Walking the directories, reading heads once, and giving each file its names.
#include "model/catalog.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <utility>

#include "model/describe.h"
#include "model/formats/findings.h"
#include "model/formats/gguf_split.h"
#include "model/loaded_model.h"
#include "model/model_name.h"
#include "model/stores.h"

namespace pensieve::model {
namespace {

namespace fs = std::filesystem;

// Problems are shown to clients of a server, so no folder of this machine stands in them.
std::string without_folder(std::string text, const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  for (std::size_t at = text.find(path); at != std::string::npos; at = text.find(path, at + name.size())) {
    text.replace(at, path.size(), name);
  }
  return text;
}

// A change of any file of a folder, or of any part, makes it another model.
void add_companions(const std::string& path, bool folder, struct stat& status) {
  const auto add = [&status](const fs::path& file) {
    struct stat other {};
    if (::stat(file.c_str(), &other) != 0 || !S_ISREG(other.st_mode)) return;
    status.st_size += other.st_size;
    const bool later = std::pair(other.st_mtim.tv_sec, other.st_mtim.tv_nsec) >
                       std::pair(status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    if (later) status.st_mtim = other.st_mtim;
  };
  const fs::path file(path);
  if (folder) {
    std::error_code error;
    for (auto at = fs::directory_iterator(file, error); !error && at != fs::directory_iterator();
         at.increment(error))
      add(at->path());
  } else if (const auto part = split_name(file.stem().string())) {
    constexpr std::int64_t kMost = 1024;
    for (std::int64_t i = 2; i <= std::min(part->count, kMost); ++i)
      add(file.parent_path() / (part->part(i) + file.extension().string()));
  }
}

void add_alias(CatalogEntry& entry, std::string alias) {
  if (!alias.empty() && std::find(entry.aliases.begin(), entry.aliases.end(), alias) == entry.aliases.end()) {
    entry.aliases.push_back(std::move(alias));
  }
}

// Of the names an entry could have, the shortest that is its alone becomes the name; the others stay aliases.
void choose_names(std::vector<CatalogEntry>& entries) {
  std::map<std::string, int> uses;
  for (const CatalogEntry& entry : entries) {
    for (const std::string& alias : entry.aliases) ++uses[lower_case(alias)];
  }
  std::set<std::string> taken;
  for (CatalogEntry& entry : entries) {
    for (const std::string& alias : entry.aliases) {
      if (uses[lower_case(alias)] == 1 && (entry.name.empty() || alias.size() < entry.name.size()))
        entry.name = alias;
    }
    const std::string base =
        entry.name.empty() ? (entry.aliases.empty() ? "model" : entry.aliases.front()) : entry.name;
    entry.name = base;
    for (int copy = 2; taken.count(lower_case(entry.name)) != 0; ++copy)
      entry.name = base + "-" + std::to_string(copy);
    taken.insert(lower_case(entry.name));
    entry.aliases.erase(std::remove(entry.aliases.begin(), entry.aliases.end(), entry.name),
                        entry.aliases.end());
    entry.info.name = entry.name;
  }
}

}  // namespace

std::vector<std::string> model_directories(const Options& options) {
  if (!options.models_dir.empty()) return options.models_dir;
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return {};
  std::vector<std::string> directories{(fs::path(home) / ".pensieve" / "models").string()};
  for (std::string& other : stores_of_others()) directories.push_back(std::move(other));
  return directories;
}

std::vector<std::string> absent_directories(const Options& options) {
  std::vector<std::string> absent = options.models_dir;
  const auto is_there = [](const std::string& directory) {
    std::error_code ignored;
    return fs::is_directory(directory, ignored);
  };
  absent.erase(std::remove_if(absent.begin(), absent.end(), is_there), absent.end());
  return absent;
}

std::vector<Catalog::Found> Catalog::walk(std::vector<std::string>& problems) const {
  std::vector<StoredModel> models;
  for (const std::string& directory : directories_) {
    std::error_code ignored;
    if (fs::exists(directory, ignored)) find_models(directory, models, problems);
  }
  std::vector<Found> found;
  for (StoredModel& model : models) {
    struct stat status {};
    if (::stat(model.path.c_str(), &status) != 0) continue;
    const bool folder = S_ISDIR(status.st_mode);
    if (!folder && !S_ISREG(status.st_mode)) continue;
    add_companions(model.path, folder, status);
    found.push_back(
        {std::move(model.path),
         std::move(model.names),
         folder,
         {status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec}});
  }
  return found;
}

Examined examine(const std::string& path) {
  Examined found;
  Result<std::unique_ptr<ModelFile>> opened = examine_model_file(path);
  if (!opened) {
    found.info.path = path;
    found.refusal = std::move(opened.error());
    found.problem = without_folder(found.refusal->what, path);
    return found;
  }
  found.info = describe(**opened, path);
  if (Result<> loadable = check_loadable(**opened); !loadable) found.problem = loadable.error().what;
  const Metadata& metadata = (*opened)->metadata();
  if (auto basename = metadata.text("general.basename")) found.basename = basename->value_or("");
  if (auto size = metadata.text("general.size_label")) found.size_label = size->value_or("");
  return found;
}

std::vector<Examined> examine_here(const std::vector<std::string>& paths) {
  std::vector<Examined> all;
  for (const std::string& path : paths) all.push_back(examine(path));
  return all;
}

void Catalog::examine_new(const std::vector<Found>& files) {
  std::map<Identity, std::string> unknown;
  for (const Found& file : files) {
    if (!known_.contains(file.identity)) unknown.emplace(file.identity, file.path);
  }
  if (unknown.empty()) return;
  std::vector<std::string> paths;
  for (const auto& [identity, path] : unknown) paths.push_back(path);
  std::vector<Examined> found = examiner_(paths);
  std::size_t next = 0;
  for (const auto& [identity, path] : unknown) {
    if (next == found.size()) break;
    Examined& examined = known_[identity] = std::move(found[next++]);
    if (!examined.refusal) continue;
    examined.info.file_bytes = static_cast<std::uint64_t>(identity.size);
    examined.info.created = identity.seconds;
  }
}

CatalogListing Catalog::scan_locked() {
  CatalogListing listing;
  std::map<Identity, std::size_t> entry_of;  // a file reached by two paths is one model
  const std::vector<Found> files = walk(listing.problems);
  examine_new(files);
  for (const Found& file : files) {
    const auto at = known_.find(file.identity);
    if (at == known_.end()) {
      listing.problems.push_back("could not examine " + printable(file.path) + " this time");
      continue;
    }
    const Examined& known = at->second;
    const auto [at_entry, is_new] = entry_of.try_emplace(file.identity, listing.entries.size());
    const fs::path place(file.path);
    std::string stem = (file.folder ? place.filename() : place.stem()).string();
    if (const auto part = split_name(stem); part && !file.folder) stem = part->stem;
    if (is_new) {
      CatalogEntry entry{.info = known.info, .problem = known.problem};
      entry.info.path = file.path;
      listing.entries.push_back(std::move(entry));
    }
    CatalogEntry& entry = listing.entries[at_entry->second];
    for (const std::string& name : file.names) add_alias(entry, name);
    const bool says_nothing = file.folder || lower_case(place.extension().string()) != ".gguf";
    if (!file.names.empty() && says_nothing) continue;  // a snapshot or a blob
    add_alias(entry, name_from_file(stem));
    if (const auto tagged = tagged_names(stem)) {
      add_alias(entry, tagged->full);
      add_alias(entry, tagged->brief);
    } else if (!known.size_label.empty()) {
      if (auto name = tagged_name(known.basename, known.size_label)) add_alias(entry, std::move(*name));
    }
  }
  std::erase_if(known_, [&](const auto& known) { return !entry_of.contains(known.first); });
  choose_names(listing.entries);
  std::sort(listing.entries.begin(), listing.entries.end(),
            [](const CatalogEntry& a, const CatalogEntry& b) { return a.name < b.name; });
  return listing;
}

CatalogListing Catalog::scan() {
  const std::lock_guard lock(mutex_);
  return scan_locked();
}

}  // namespace pensieve::model
