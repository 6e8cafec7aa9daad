// Measures how fast main memory can be read: the roof for generating tokens one at a time.
// Not a benchmark of kernels (tools bench), and noisy on a busy machine: it answers the best of several
// samples.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pensieve::hal {

// GB/s (10^9 bytes) of `threads` threads together, streaming over a buffer of at least four times
// `last_level_cache` bytes (64 MiB at least, and at most a quarter of the available memory). Takes about a
// fifth of a second. 0 when there is no memory for the buffer.
double measure_read_bandwidth(std::int32_t threads, std::size_t last_level_cache);

}  // namespace pensieve::hal
