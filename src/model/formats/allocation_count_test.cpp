// Replaces the test program's operator new by one that counts; the tests that use it are in
// gguf_broken_test.cpp. A file of its own: inlined next to its callers it makes compilers warn of mismatched
// pairs.
#include <atomic>
#include <cstdlib>
#include <new>

#include "model/formats/allocation_count_for_test.h"

namespace {
std::atomic<std::size_t> largest{0};
std::atomic<std::size_t> total{0};

void* counted(std::size_t size) {
  std::size_t seen = largest.load(std::memory_order_relaxed);
  while (seen < size && !largest.compare_exchange_weak(seen, size, std::memory_order_relaxed)) {
  }
  total.fetch_add(size, std::memory_order_relaxed);
  return std::malloc(size);
}
}  // namespace

// All forms that end in the plain delete, or AddressSanitizer would see its own new meet our free.
void* operator new(std::size_t size) {
  void* block = counted(size);
  if (block == nullptr) std::abort();
  return block;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size);
}
void operator delete(void* block) noexcept {
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  std::free(block);
}
void operator delete(void* block, const std::nothrow_t&) noexcept {
  std::free(block);
}

namespace pensieve::model::testing {

void reset_allocation_count() {
  largest = total = 0;
}
AllocationCount allocation_count() {
  return {largest, total};
}

}  // namespace pensieve::model::testing
