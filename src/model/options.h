// Options of model loading: where models are found.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/option.h"

namespace pensieve::model {

struct Options {
  std::vector<std::string> models_dir;
};

inline constexpr std::array kOptions{
    Option<Options>{.key = "models_dir",
                    .member = &Options::models_dir,
                    .help = "directory searched for model files, instead of ~/.pensieve/models and the "
                            "stores of other programs; may be given several times"},
};

}  // namespace pensieve::model
