// /proc/meminfo and the control group, version 2 or 1, walked up to its root: the tightest limit on the way
// counts.
#include "hal/detect/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>

namespace pensieve::hal {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

std::optional<std::size_t> to_number(std::string_view text) {
  std::size_t value = 0;
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

// The number after `key` at the start of a line: "MemTotal:   123 kB", "inactive_file 456".
std::size_t number_after(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(key)) return to_number(std::string_view(line).substr(key.size())).value_or(0);
  }
  return 0;
}

struct ControlGroup {
  bool unified = false;  // version 2
  std::string base;      // where the hierarchy is mounted
  std::string path;      // of this process below it, "" or "/a/b"
};

// A line of /proc/self/cgroup is "number:controllers:path"; version 2 has number 0 and no controllers.
std::optional<ControlGroup> find_group(const std::string& root, std::string_view controller) {
  std::istringstream lines(read_text(root + "/proc/self/cgroup"));
  std::optional<ControlGroup> unified;
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = fmt::format(",{},", line.substr(first + 1, second - first - 1));
    std::string path = line.substr(second + 1);
    if (path == "/" || path.find("..") != std::string::npos)
      path.clear();  // outside this namespace: the mount's root
    if (controllers == ",,") unified = ControlGroup{true, root + "/sys/fs/cgroup", path};
    if (controllers.find(fmt::format(",{},", controller)) != std::string::npos) {
      return ControlGroup{false, root + "/sys/fs/cgroup/" + std::string(controller), path};
    }
  }
  return unified;
}

// Calls visit(folder) for the process's group and each one above it.
template <class Visit>
void walk_up(const ControlGroup& group, Visit visit) {
  std::string path = group.path;
  while (true) {
    visit(group.base + path);
    if (path.empty()) return;
    path.erase(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

}  // namespace

MemoryFacts detect_memory(const std::string& root) {
  const std::string text = read_text(root + "/proc/meminfo");
  MemoryFacts facts;
  facts.total = number_after(text, "MemTotal:") * 1024;
  facts.available = number_after(text, "MemAvailable:") * 1024;
  const auto group = find_group(root, "memory");
  if (!group) return facts;
  walk_up(*group, [&](const std::string& folder) {
    const auto limit =
        to_number(read_text(folder + (group->unified ? "/memory.max" : "/memory.limit_in_bytes")));
    if (!limit || *limit == 0 || *limit >= facts.total) return;
    // Cached file pages that nobody used lately are given back when needed.
    const std::string statistics = read_text(folder + "/memory.stat");
    const std::size_t cached =
        number_after(statistics, group->unified ? "inactive_file" : "total_inactive_file");
    const std::size_t used =
        to_number(read_text(folder + (group->unified ? "/memory.current" : "/memory.usage_in_bytes")))
            .value_or(0);
    const std::size_t held = used - std::min(used, cached);
    facts.limit = facts.limit == 0 ? *limit : std::min(facts.limit, *limit);
    facts.available = std::min(facts.available, *limit - std::min(*limit, held));
  });
  return facts;
}

double detect_cpu_limit(const std::string& root) {
  const auto group = find_group(root, "cpu");
  double tightest = 0;
  if (!group) return tightest;
  walk_up(*group, [&](const std::string& folder) {
    std::string quota_text, period_text;
    if (group->unified) {  // "200000 100000" or "max 100000"
      std::istringstream(read_text(folder + "/cpu.max")) >> quota_text >> period_text;
    } else {  // "-1" without a limit
      std::istringstream(read_text(folder + "/cpu.cfs_quota_us")) >> quota_text;
      std::istringstream(read_text(folder + "/cpu.cfs_period_us")) >> period_text;
    }
    const auto quota = to_number(quota_text), period = to_number(period_text);
    if (!quota || !period || *quota == 0 || *period == 0) return;
    const double processors = static_cast<double>(*quota) / static_cast<double>(*period);
    tightest = tightest == 0 ? processors : std::min(tightest, processors);
  });
  return tightest;
}

}  // namespace pensieve::hal
