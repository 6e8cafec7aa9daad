// The devices this program was built with: one for each folder of hal/ (generated table).
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "core/backend.h"

namespace pensieve::hal {

std::span<const BackendFactory* const> backends();

// Opens the named backend; "auto" opens the available one with the highest preference.
// Unknown names list the known ones; an absent device says why it is absent.
Result<std::unique_ptr<Backend>> open_backend(std::string_view name, const BackendOptions& options);

}  // namespace pensieve::hal
