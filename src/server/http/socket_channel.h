// SocketChannel: a Channel over a TCP socket. The only code that reads from or writes to one.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>

#include "server/http/channel.h"
#include "server/http/loop.h"

namespace pensieve::server {

// `input_bytes`: received bytes kept at most while nobody consumes them; `write_timeout`: for each slice
// sent.
std::shared_ptr<Channel> make_socket_channel(Loop& loop, boost::asio::ip::tcp::socket socket,
                                             std::size_t input_bytes, std::chrono::seconds write_timeout);

}  // namespace pensieve::server
