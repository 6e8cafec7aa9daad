// FileWatch: tells when a file has been written or replaced. Not a reader: what the file says is asked
// elsewhere, and a change may leave its content as it was.
#pragma once

#include <sys/stat.h>

#include <string>

#include "core/result.h"

namespace pensieve::manage {

// Watches the file's folder, because editors and deployment tools put a new file, or a link to one, in the
// old one's place. Thread rule: one thread.
class FileWatch {
 public:
  static Result<FileWatch> open(const std::string& path);
  FileWatch(FileWatch&& other) noexcept;
  FileWatch& operator=(FileWatch&&) = delete;
  ~FileWatch();

  int descriptor() const { return descriptor_; }  // readable when something in the folder changed
  // Takes what came; true when the file is another one or has been written since the last call.
  bool changed();

 private:
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;  // no such file
    timespec modified{};
    bool operator==(const Identity& other) const;
  };
  FileWatch(std::string path, int descriptor);
  static Identity identity_of(const std::string& path);

  std::string path_;
  int descriptor_;
  Identity seen_;
};

}  // namespace pensieve::manage
