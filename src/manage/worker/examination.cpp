// One process after the other, each as far as it comes.
#include "manage/worker/examination.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <utility>

#include "manage/worker/link.h"

namespace pensieve::manage {
namespace {

// Takes the answers of one process.
class Examiner final : public LinkOwner {
 public:
  explicit Examiner(std::size_t files) : files_(files) {}

  // What came until the process had done all, or ended; why it ended then.
  std::vector<model::Examined> wait(Error& why) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_ || found_.size() == files_; });
    why = why_;
    return std::move(found_);
  }
  // Nobody could be asked.
  void give_up(const Error& why) { ended(why); }

 private:
  Result<> receive(wire::ToGateway message, std::size_t) override {
    auto* examined = std::get_if<wire::Examined>(&message);
    const std::lock_guard lock(mutex_);
    if (examined == nullptr || found_.size() >= files_ || examined->index != found_.size())
      return fail(Error::Code::invalid, "not the next file");
    found_.push_back(std::move(examined->what));
    if (found_.size() == files_) changed_.notify_all();
    return {};
  }
  void ended(const Error& why) override {
    const std::lock_guard lock(mutex_);
    why_ = why;
    ended_ = true;
    changed_.notify_all();
  }

  const std::size_t files_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<model::Examined> found_;  // guarded by mutex_
  Error why_;                           // guarded by mutex_
  bool ended_ = false;                  // guarded by mutex_
};

model::Examined broken(const std::string& path, const Error& why) {
  const std::string name = std::filesystem::path(path).filename().string();
  model::Examined file;
  file.info.path = path;
  file.problem = fmt::format("{} ended the process that examined it; the file is damaged or hostile", name);
  file.refusal = Error{Error::Code::invalid,
                       fmt::format("{} cannot be read safely: {} (while its head was read)", path, why.what),
                       "",
                       "examination_failed",
                       {}};
  return file;
}

}  // namespace

std::vector<model::Examined> examine_apart(const Launch& launch, const std::vector<std::string>& paths,
                                           std::chrono::milliseconds patience, util::Log& log) {
  std::vector<model::Examined> all;
  while (all.size() < paths.size()) {
    const std::vector<std::string> rest(paths.begin() + static_cast<std::ptrdiff_t>(all.size()), paths.end());
    Examiner examiner(rest.size());
    Link link({launch, "", patience, util::LogLevel::debug}, examiner, log);
    if (Result<> sent = link.send(wire::Examine{rest}); !sent) examiner.give_up(sent.error());
    Error why;
    std::vector<model::Examined> found = examiner.wait(why);
    const bool whole = found.size() == rest.size();
    // What a file says of itself is shown; where it lies is not its to say.
    for (std::size_t i = 0; i < found.size(); ++i) found[i].info.path = rest[i];
    all.insert(all.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    if (whole || why.reason == "worker_not_started") break;
    log.write(util::LogLevel::error, "examination_failed",
              {{"file", std::string_view(paths[all.size()])}, {"reason", std::string_view(why.what)}});
    all.push_back(broken(paths[all.size()], why));
  }
  return all;
}

}  // namespace pensieve::manage
