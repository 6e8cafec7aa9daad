// BodyReader: the body of a request out of a channel's bytes, by length or in chunks. Wraps Beast's parser,
// which is kept out of this header: it costs many seconds of compile time.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "server/http/head.h"

namespace pensieve::server {

class BodyReader {
 public:
  // `head_bytes`: a head that parse_head accepted. `limit`: most bytes of body, after decoding: 413.
  static tl::expected<BodyReader, Refusal> open(std::string_view head_bytes, std::size_t limit);
  BodyReader(BodyReader&&) noexcept;
  BodyReader& operator=(BodyReader&&) noexcept;
  ~BodyReader();

  bool done() const;
  // Takes what it can from the front of `input`; the number of bytes taken. 0 with a body not done: more are
  // needed.
  tl::expected<std::size_t, Refusal> feed(std::string_view input);
  std::string take();  // the body, once done

 private:
  struct Parser;
  explicit BodyReader(std::unique_ptr<Parser> parser);
  std::unique_ptr<Parser> parser_;
};

}  // namespace pensieve::server
