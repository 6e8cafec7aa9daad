// inotify on the folder; the file's identity decides.
#include "manage/config/watch.h"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace pensieve::manage {

bool FileWatch::Identity::operator==(const Identity& other) const {
  return device == other.device && inode == other.inode && size == other.size &&
         modified.tv_sec == other.modified.tv_sec && modified.tv_nsec == other.modified.tv_nsec;
}

FileWatch::FileWatch(std::string path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor), seen_(identity_of(path_)) {}

FileWatch::FileWatch(FileWatch&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), seen_(other.seen_) {}

FileWatch::~FileWatch() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FileWatch::Identity FileWatch::identity_of(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return {};
  return {facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtim};
}

Result<FileWatch> FileWatch::open(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const std::string folder = parent.empty() ? "." : parent;
  const int descriptor = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  // Not IN_MODIFY: a file that is still being written is not read.
  constexpr std::uint32_t kEvents = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE;
  if (descriptor < 0 || inotify_add_watch(descriptor, folder.c_str(), kEvents) < 0) {
    const int problem = errno;
    if (descriptor >= 0) ::close(descriptor);
    return fail(Error::Code::io, fmt::format("{} cannot be watched: {}", folder, std::strerror(problem)));
  }
  return FileWatch(path, descriptor);
}

bool FileWatch::changed() {
  alignas(inotify_event) char bytes[4096];
  while (::read(descriptor_, bytes, sizeof(bytes)) > 0) continue;
  const Identity now = identity_of(path_);
  if (now == seen_) return false;
  seen_ = now;
  return now.size >= 0;  // a file that is gone is about to be replaced, or its values stay in force
}

}  // namespace pensieve::manage
