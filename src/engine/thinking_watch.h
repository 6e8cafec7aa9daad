// ThinkingWatch: counts the tokens of one answer's reasoning and says, once the budget is spent, which token
// must come next so that the reasoning ends and the answer goes on. It depends on nothing but the answer's
// own tokens, so an answer is cut at the same place alone or in a batch. What reasoning is: core/reply.h.
// Thread rule: the engine's thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/reply.h"

namespace pensieve::engine {

class ThinkingWatch {
 public:
  // At most `limit` tokens inside of each answer's thinking blocks together; `close` are the tokens that end
  // a block. The markers themselves do not count.
  ThinkingWatch(std::unique_ptr<ReplyParser> reader, std::int64_t limit, std::vector<std::int32_t> close)
      : reader_(std::move(reader)), limit_(limit), close_(std::move(close)) {}

  // The token that must come next; nothing: any may. A character that is begun is completed first.
  std::optional<std::int32_t> forced() const;
  // The answer's next token, as the text that its reader sees.
  void add(std::string_view text);

 private:
  std::unique_ptr<ReplyParser> reader_;
  std::int64_t limit_, thought_ = 0;
  std::vector<std::int32_t> close_;
  std::size_t written_ = 0;  // tokens of close_ that are forced already
  bool useless_ = false;     // the block stays open after close_: better not again
  std::string character_;    // bytes of one that is not complete
  std::vector<ReplyPiece> pieces_;
};

}  // namespace pensieve::engine
