// Catalog: the model files in the model directories and the names they are known by (model_name.h says
// which). Not a loader and not a download: a file that cannot be read is listed with its problem.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/model_info.h"
#include "core/result.h"
#include "model/options.h"

namespace pensieve::model {

struct CatalogEntry {
  std::string name;  // shown to users; unique: the shortest of its names that no other file shares
  std::vector<std::string>
      aliases;     // further names; of several files with the same alias none is meant by it
  ModelInfo info;  // info.name is `name`; of a file that cannot be read only name, path, file_bytes, created
  std::string problem;  // why it cannot be loaded; empty when nothing is known against it
};

struct CatalogListing {
  std::vector<CatalogEntry> entries;  // in order of name
  std::vector<std::string> problems;  // directories that could not be read
};

// What reading the head of one file gave.
struct Examined {
  ModelInfo info;                // as far as it could be read; the name is the file's without suffix
  std::optional<Error> refusal;  // the head cannot be read at all
  std::string problem;  // why it cannot be loaded, for clients; empty when nothing is known against it
  std::string basename, size_label;  // of which a name can be made
};
Examined examine(const std::string& path);

// Reads the heads of many files, in order: here, or where a hostile file does no harm.
using Examiner = std::function<std::vector<Examined>(const std::vector<std::string>& paths)>;
std::vector<Examined> examine_here(const std::vector<std::string>& paths);

// Where models are looked for: the directories of the options; where none is named, ~/.pensieve/models and
// the stores of other programs.
std::vector<std::string> model_directories(const Options& options);
// Of those named in the options, the ones that are not there.
std::vector<std::string> absent_directories(const Options& options);

// Thread rule: any thread may call; calls wait for one another.
class Catalog {
 public:
  explicit Catalog(std::vector<std::string> directories, Examiner examiner = examine_here)
      : directories_(std::move(directories)), examiner_(std::move(examiner)) {}

  // Looks at the directories (stores.h says what is found). Files known by device, inode, size and time are
  // not read again.
  CatalogListing scan();

  // A name as clients give it, never a path: exact, then in any case, then as `NAME:latest`, then as the
  // beginning of one. not_found with reason "model_not_found" names the nearest; an ambiguous name is an
  // `invalid` error naming the candidates.
  Result<CatalogEntry> find(std::string_view name);

  // As `find`, but a path is possible too: only for whoever started the program. The model is then called by
  // its file's name without suffix.
  Result<CatalogEntry> resolve(const std::string& reference);

 private:
  struct Identity {
    std::uint64_t device = 0, inode = 0;
    std::int64_t size = 0, seconds = 0, nanoseconds = 0;
    auto operator<=>(const Identity&) const = default;
  };
  struct Found {
    std::string path;
    std::vector<std::string> names;  // of its store; empty: its own
    bool folder = false;
    Identity identity;
  };

  CatalogListing scan_locked();
  void examine_new(const std::vector<Found>& files);
  std::vector<Found> walk(std::vector<std::string>& problems) const;

  const std::vector<std::string> directories_;
  const Examiner examiner_;
  std::mutex mutex_;
  std::map<Identity, Examined> known_;  // guarded by mutex_
};

}  // namespace pensieve::model
