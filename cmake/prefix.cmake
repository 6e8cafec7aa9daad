# pensieve_prefix(TARGET [HEADER…])
#   Compiles the standard headers that nearly every file includes, and those named, once for TARGET instead of once a
#   file. Only with PENSIEVE_PREFIX (clang with sanitizers, where parsing is half of the build): the release build goes
#   without, so that a file which forgets an include does not compile there. No header that brings <iomanip>
#   (<filesystem> does): its std::quoted would be found where our quoted is meant.
option(PENSIEVE_PREFIX "Precompile the standard headers (clang)" OFF)

if(PENSIEVE_PREFIX)
  # ccache looks through a precompiled header only when it may trust names and times, and times must not be in it.
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  if(CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
        CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  endif()
endif()

function(pensieve_prefix target)
  if(NOT PENSIEVE_PREFIX)
    return()
  endif()
  target_precompile_headers(${target} PRIVATE
    <algorithm> <array> <atomic> <bit> <charconv> <chrono> <cmath> <condition_variable> <cstdint> <cstring> <deque>
    <fstream> <functional> <future> <limits> <map> <memory> <mutex> <new> <optional> <random> <set> <span>
    <sstream> <string> <string_view> <system_error> <thread> <unordered_map> <utility> <variant> <vector>
    <fmt/format.h> <fmt/ranges.h> ${ARGN})
endfunction()
