// From /proc/self; what cannot be read there is left out.
#include "server/process_facts.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "server/exposition.h"

namespace pensieve::server {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double open_descriptors() {
  DIR* folder = opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  double count = -3;  // ".", ".." and the folder's own
  while (readdir(folder) != nullptr) ++count;
  closedir(folder);
  return count;
}

// Clock ticks since the machine's start: field 22 of proc(5)'s stat, behind the name in parentheses.
double start_time() {
  std::ifstream stat("/proc/self/stat"), machine("/proc/stat");
  std::string text((std::istreambuf_iterator<char>(stat)), {});
  std::istringstream rest(text.substr(std::min(text.rfind(')') + 1, text.size())));
  std::string word;
  for (int field = 3; field <= 22; ++field) rest >> word;
  double boot = 0;
  for (std::string key; machine >> key;) {
    if (key == "btime" && machine >> boot) break;
  }
  const double ticks = std::strtod(word.c_str(), nullptr);
  return boot + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

void write_process_facts(Exposition& out) {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    out.family("process_cpu_seconds_total", "counter", "Processor time used, by user and system.");
    out.sample({}, seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }
  std::ifstream memory("/proc/self/statm");
  if (double whole = 0, resident = 0; memory >> whole >> resident) {
    const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
    out.family("process_resident_memory_bytes", "gauge", "Memory held, mapped files included.");
    out.sample({}, resident * page);
    out.family("process_virtual_memory_bytes", "gauge", "Address space in use.");
    out.sample({}, whole * page);
  }
  out.family("process_open_fds", "gauge", "Open file descriptors.");
  out.sample({}, open_descriptors());
  out.family("process_start_time_seconds", "gauge", "Start of the process, seconds since 1970.");
  out.sample({}, start_time());
}

}  // namespace pensieve::server
