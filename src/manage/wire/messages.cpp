// Fields of the messages, and frames: every template of the wire is instantiated here and nowhere else.
#include "manage/wire/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "manage/wire/fields.h"

namespace pensieve::manage::wire {

template <class Archive, Is<Load> T>
void fields(Archive& archive, T& value) {
  auto& [path, name, hardware, engine, budget] = value;
  archive(path, name, hardware, engine, budget);
}
template <class Archive, Is<Examine> T>
void fields(Archive& archive, T& value) {
  auto& [paths] = value;
  archive(paths);
}
template <class Archive, class T>
requires Is<T, Submit> || Is<T, Render> || Is<T, Count> || Is<T, Embed>
void fields(Archive& archive, T& value) {
  auto& [id, request] = value;
  archive(id, request);
}
template <class Archive, Is<Cancel> T>
void fields(Archive& archive, T& value) {
  auto& [id] = value;
  archive(id);
}
template <class Archive, Is<Tokenize> T>
void fields(Archive& archive, T& value) {
  auto& [id, text, options] = value;
  archive(id, text, options);
}
template <class Archive, Is<Detokenize> T>
void fields(Archive& archive, T& value) {
  auto& [id, tokens] = value;
  archive(id, tokens);
}
template <class Archive, Is<Ready> T>
void fields(Archive& archive, T& value) {
  auto& [info] = value;
  archive(info);
}
template <class Archive, Is<LoadFailed> T>
void fields(Archive& archive, T& value) {
  auto& [error] = value;
  archive(error);
}
template <class Archive, Is<Stats> T>
void fields(Archive& archive, T& value) {
  auto& [stats] = value;
  archive(stats);
}
template <class Archive, Is<Event> T>
void fields(Archive& archive, T& value) {
  auto& [id, event] = value;
  archive(id, event);
}
template <class Archive, Is<Answer> T>
void fields(Archive& archive, T& value) {
  auto& [id, answer] = value;
  archive(id, answer);
}
template <class Archive, Is<Examined> T>
void fields(Archive& archive, T& value) {
  auto& [index, what] = value;
  archive(index, what);
}

namespace {

template <class Message>
bool append(const Message& message, std::string& out) {
  const std::size_t begin = out.size();
  out.append(sizeof(std::uint32_t), '\0');
  Writer writer(out);
  writer(message);
  const std::size_t size = out.size() - begin - sizeof(std::uint32_t);
  if (size > kLargestFrame) {
    out.resize(begin);
    return false;
  }
  const auto length = static_cast<std::uint32_t>(size);
  std::memcpy(out.data() + begin, &length, sizeof length);
  return true;
}

template <class Message>
Result<Message> read(std::string_view frame) {
  Message message;
  Reader reader(frame);
  reader(message);
  if (reader.whole()) return message;
  return fail(Error::Code::invalid,
              fmt::format("a frame of {} bytes and kind {} is {}", frame.size(),
                          frame.empty() ? -1 : static_cast<int>(static_cast<unsigned char>(frame.front())),
                          reader.good() ? "longer than its message" : "no message"));
}

}  // namespace

bool append_frame(const ToWorker& message, std::string& out) {
  return append(message, out);
}
bool append_frame(const ToGateway& message, std::string& out) {
  return append(message, out);
}
Result<ToWorker> read_to_worker(std::string_view frame) {
  return read<ToWorker>(frame);
}
Result<ToGateway> read_to_gateway(std::string_view frame) {
  return read<ToGateway>(frame);
}

char* FrameBuffer::room(std::size_t size) {
  constexpr std::size_t kKept = std::size_t{1} << 20;
  if (begin_ > 0) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (end_ == 0 && bytes_.size() > kKept) std::string().swap(bytes_);  // after a large frame
  if (bytes_.size() < end_ + size) bytes_.resize(std::max(end_ + size, 2 * bytes_.size()));
  return bytes_.data() + end_;
}

Result<std::optional<std::string_view>> FrameBuffer::next() {
  std::uint32_t length = 0;
  if (end_ - begin_ < sizeof length) return std::nullopt;
  std::memcpy(&length, bytes_.data() + begin_, sizeof length);
  if (length == 0 || length > kLargestFrame)
    return fail(Error::Code::invalid, fmt::format("a frame claims to have {} bytes", length));
  if (end_ - begin_ - sizeof length < length) return std::nullopt;
  const std::string_view frame(bytes_.data() + begin_ + sizeof length, length);
  begin_ += sizeof length + length;
  return frame;
}

}  // namespace pensieve::manage::wire
