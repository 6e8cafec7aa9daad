// Descriptor: owns one file descriptor of the operating system. Not for regular model files (mapped_file.h).
#pragma once

#include <utility>

namespace pensieve::util {

// Thread rule: as an int.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(); }

  int number() const { return number_; }  // -1: none
  bool open() const { return number_ >= 0; }
  void close();

 private:
  int number_ = -1;
};

}  // namespace pensieve::util
