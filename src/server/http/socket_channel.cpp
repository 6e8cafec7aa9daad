// Reading waits for readiness and only then takes a buffer, so that an idle connection costs none. Everything
// runs on the loop's one thread; callbacks hold the channel alive.
#include "server/http/socket_channel.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace pensieve::server {
namespace {

namespace asio = boost::asio;
using Error = boost::system::error_code;

constexpr std::size_t kSliceBytes = 64 << 10;   // sent within one write deadline
constexpr std::size_t kLingerBytes = 16 << 20;  // thrown away after the last reply
constexpr std::chrono::seconds kLingerTime{2};
constexpr std::chrono::milliseconds kLookAfter{250};  // how often a peer that is not read is looked at

class SocketChannel final : public Channel, public std::enable_shared_from_this<SocketChannel> {
 public:
  SocketChannel(Loop& loop, asio::ip::tcp::socket socket, std::size_t input_bytes,
                std::chrono::seconds write_timeout)
      : executor_(loop.executor()),
        socket_(std::move(socket)),
        deadline_(loop.context()),
        write_deadline_(loop.context()),
        look_(loop.context()),
        input_limit_(input_bytes),
        write_timeout_(write_timeout) {}

  void begin() { read(); }
  const std::shared_ptr<Executor>& executor() const override { return executor_; }

  std::string_view input() const override { return std::string_view(input_).substr(consumed_); }
  bool input_full() const override { return input().size() >= input_limit_; }
  Signal& changed() override { return changed_; }
  std::size_t unsent() const override { return pending_.size() + writing_.size() - written_; }
  bool gone() const override { return gone_; }
  bool expired() const override { return expired_; }
  void on_gone(std::function<void()> call) override { on_gone_ = std::move(call); }

  void consume(std::size_t bytes) override {
    consumed_ += bytes;
    if (consumed_ == input_.size()) {
      input_.clear();
      if (input_.capacity() > kSliceBytes) input_.shrink_to_fit();
      consumed_ = 0;
    } else if (consumed_ > input_limit_) {
      input_.erase(0, consumed_);
      consumed_ = 0;
    }
    read();
  }

  void send(std::string_view bytes) override {
    if (!broken_) pending_ += bytes;
  }

  void flush() override { write(); }

  void set_deadline(std::optional<std::chrono::seconds> from_now) override {
    expired_ = false;
    if (!from_now) {
      deadline_.cancel();
      return;
    }
    deadline_.expires_after(*from_now);
    deadline_.async_wait([self = shared_from_this()](Error problem) {
      if (problem || self->deadline_.expiry() > std::chrono::steady_clock::now()) return;
      self->expired_ = true;
      self->changed_.fire();
    });
  }

  void close() override {
    if (!socket_.is_open()) return;
    Error ignored;
    socket_.close(ignored);
    deadline_.cancel();
    write_deadline_.cancel();
    look_.cancel();
    broken_ = true;
    pending_.clear();
    leave();
  }

  void close_after_flush() override {
    closing_ = true;
    write();
    end_when_flushed();
  }

 private:
  void read() {
    if (reading_ || gone_ || !socket_.is_open()) return;
    if (input_full()) return look_after();
    reading_ = true;
    socket_.async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](Error problem) {
      self->reading_ = false;
      self->readable(problem);
    });
  }

  // With the input full nothing is read, so an end that comes after unread bytes is not seen by reading. Asio
  // does not watch for POLLRDHUP; this is rare enough to ask the system now and then.
  void look_after() {
    if (std::exchange(looking_, true)) return;
    look_.expires_after(kLookAfter);
    look_.async_wait([self = shared_from_this()](Error problem) {
      self->looking_ = false;
      if (problem || self->gone_ || !self->socket_.is_open()) return;
      if (!self->input_full()) return self->read();
      pollfd ask{self->socket_.native_handle(), POLLRDHUP, 0};
      if (::poll(&ask, 1, 0) > 0 && (ask.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
        return self->leave();
      self->look_after();
    });
  }

  void readable(Error problem) {
    std::array<char, 16 << 10> bytes;
    std::size_t count = 0;
    if (!problem) count = socket_.read_some(asio::buffer(bytes), problem);
    if (problem == asio::error::would_block || problem == asio::error::try_again) return read();
    if (problem) {
      if (problem != asio::error::eof) broken_ = true;
      if (lingering_ || broken_) return close();
      return leave();
    }
    if (lingering_) {
      lingered_ += count;
      if (lingered_ > kLingerBytes) return close();
      return read();
    }
    input_.append(bytes.data(), count);
    read();
    changed_.fire();
  }

  // The peer is not there any more, or not for us. Bytes may still be sent: it may only have ended its own
  // side.
  void leave() {
    if (gone_) return;
    gone_ = true;
    const std::function<void()> call = std::exchange(on_gone_, nullptr);
    const auto self = shared_from_this();
    if (call) call();
    changed_.fire();
  }

  void write() {
    if (sending_ || pending_.empty() || broken_) return;
    if (written_ == writing_.size()) {
      writing_.swap(pending_);
      pending_.clear();
      written_ = 0;
    }
    write_slice();
  }

  void write_slice() {
    sending_ = true;
    const std::size_t size = std::min(kSliceBytes, writing_.size() - written_);
    write_deadline_.expires_after(write_timeout_);
    write_deadline_.async_wait([self = shared_from_this()](Error problem) {
      if (!problem && self->write_deadline_.expiry() <= std::chrono::steady_clock::now()) self->close();
    });
    asio::async_write(
        socket_, asio::buffer(writing_.data() + written_, size),
        [self = shared_from_this()](Error problem, std::size_t sent) { self->sent(problem, sent); });
  }

  void sent(Error problem, std::size_t count) {
    sending_ = false;
    write_deadline_.cancel();
    if (problem) return close();
    written_ += count;
    if (written_ < writing_.size()) {
      write_slice();
    } else {
      writing_.clear();
      if (writing_.capacity() > 4 * kSliceBytes) writing_.shrink_to_fit();
      written_ = 0;
      write();
    }
    end_when_flushed();
    changed_.fire();
  }

  // Closing with unread input would reset the connection and could take the reply with it, so the rest is
  // read first.
  void end_when_flushed() {
    if (!closing_ || lingering_ || unsent() > 0 || !socket_.is_open()) return;
    Error ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    if (gone_) return close();
    lingering_ = true;
    input_.clear();
    consumed_ = 0;
    deadline_.expires_after(kLingerTime);
    deadline_.async_wait([self = shared_from_this()](Error problem) {
      if (!problem) self->close();
    });
    read();
  }

  std::shared_ptr<Executor> executor_;
  asio::ip::tcp::socket socket_;
  asio::steady_timer deadline_, write_deadline_, look_;
  const std::size_t input_limit_;
  const std::chrono::seconds write_timeout_;
  std::string input_, pending_, writing_;
  std::size_t consumed_ = 0, written_ = 0, lingered_ = 0;
  bool reading_ = false, sending_ = false, gone_ = false, broken_ = false, expired_ = false;
  bool closing_ = false, lingering_ = false, looking_ = false;
  Signal changed_;
  std::function<void()> on_gone_;
};

}  // namespace

std::shared_ptr<Channel> make_socket_channel(Loop& loop, asio::ip::tcp::socket socket,
                                             std::size_t input_bytes, std::chrono::seconds write_timeout) {
  Error ignored;
  socket.non_blocking(true, ignored);
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  auto channel = std::make_shared<SocketChannel>(loop, std::move(socket), input_bytes, write_timeout);
  channel->begin();
  return channel;
}

}  // namespace pensieve::server
