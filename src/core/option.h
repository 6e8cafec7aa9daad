// Option: one row of a module's options.h: from it come flags, environment names, file keys, validation,
// schema and help. Not a parser: manage/config reads files and fills the structs; nobody includes
// configuration.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace pensieve {

template <class Struct>
struct Option {
  using Member = std::variant<bool Struct::*, std::int64_t Struct::*, double Struct::*, std::string Struct::*,
                              std::vector<std::string> Struct::*>;
  std::string_view key;   // snake_case, within the section: flag --key-with-dashes, PENSIEVE_SECTION_KEY
  Member member;          // the default is the member's initial value
  std::string_view help;  // one line
  std::string_view unit = "";
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::int64_t multiple_of = 1;                    // of an integer: only multiples are taken
  std::span<const std::string_view> allowed = {};  // of a string; empty: any
  bool live = false;                               // takes effect on reload without a restart
  bool secret = false;                             // never shown
};

}  // namespace pensieve
