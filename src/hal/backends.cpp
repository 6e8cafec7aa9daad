// Opening a device by name; the table of devices is generated from the folders.
#include "hal/backends.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

namespace pensieve::hal {
namespace {

Result<std::unique_ptr<Backend>> open_best(const BackendOptions& options) {
  std::vector<const BackendFactory*> candidates;
  for (const BackendFactory* factory : backends()) {
    if (factory->preference >= 0) candidates.push_back(factory);
  }
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const BackendFactory* a, const BackendFactory* b) { return a->preference > b->preference; });
  std::string reasons;
  for (const BackendFactory* factory : candidates) {
    const auto devices = factory->probe();
    if (devices && !devices->empty()) return factory->open(options);
    reasons += fmt::format("; {}: {}", factory->name, devices ? "no device" : devices.error().what);
  }
  return fail(Error::Code::unavailable,
              "no device can run models here" + reasons + "; `reference` runs everywhere, slowly");
}

}  // namespace

Result<std::unique_ptr<Backend>> open_backend(std::string_view name, const BackendOptions& options) {
  if (name == "auto") return open_best(options);
  std::vector<std::string_view> known;
  for (const BackendFactory* factory : backends()) {
    known.push_back(factory->name);
    if (factory->name != name) continue;
    const auto devices = factory->probe();
    if (!devices) {
      return fail(Error::Code::unavailable,
                  fmt::format("backend {} is not available: {}", name, devices.error().what), "backend");
    }
    if (devices->empty()) {
      return fail(Error::Code::unavailable,
                  fmt::format("backend {} is not available: it found no device", name), "backend");
    }
    return factory->open(options);
  }
  return fail(Error::Code::not_found,
              fmt::format("backend {} does not exist in this build, which has auto, {}", name,
                          fmt::join(known, ", ")),
              "backend");
}

}  // namespace pensieve::hal
