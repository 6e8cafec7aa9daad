// Catalog: the model files in the model directories and the names they are known by (model_name.h says
// which). Not a loader and not a download: a file that cannot be read is listed with its problem.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
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

// Where models are looked for: the directories of the options; where none is named, ~/.pensieve/models.
std::vector<std::string> model_directories(const Options& options);
// Of those named in the options, the ones that are not there.
std::vector<std::string> absent_directories(const Options& options);

// Thread rule: any thread may call; calls wait for one another.
class Catalog {
 public:
  explicit Catalog(std::vector<std::string> directories) : directories_(std::move(directories)) {}

  // Looks at the directories: *.gguf, to a depth of four, without what is hidden; links to files are
  // followed, links to directories are not. Files known by device, inode, size and time are not read again.
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
  struct Known {
    ModelInfo info;
    std::string problem, basename, size_label;
  };
  struct Found {
    std::string path;
    Identity identity;
  };

  CatalogListing scan_locked();
  const Known& know(const Found& file);
  std::vector<Found> walk(std::vector<std::string>& problems) const;

  std::vector<std::string> directories_;
  std::mutex mutex_;
  std::map<Identity, Known> known_;  // guarded by mutex_
};

}  // namespace pensieve::model
