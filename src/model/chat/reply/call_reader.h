// CallReader: reads one stretch of call syntax, from its opening marker on, while it is still growing. One
// class for each way of writing calls; families choose and parametrise (replies/*.cpp). Not for the text
// around calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/chat/reply/json_scanner.h"
#include "model/chat/reply/offered_tools.h"

namespace pensieve::model::reply {

struct ParsedCall {
  std::string name, arguments;  // arguments: JSON text of an object
};

// What every reader may look at.
struct CallContext {
  std::shared_ptr<const OfferedTools> tools;
  std::shared_ptr<const std::vector<std::string>>
      followers;  // markers that may follow where a closing one is missing
};

class CallReader {
 public:
  // malformed: no continuation is a call. cut_off: the reply ended inside a call.
  enum class Outcome : std::uint8_t { more, done, malformed, cut_off };

  explicit CallReader(CallContext context) : context_(std::move(context)) {}
  virtual ~CallReader() = default;
  // `text` begins with the opening marker and grows from call to call. With `at_end` nothing will be added.
  virtual Outcome read(std::string_view text, bool at_end) = 0;
  std::size_t position() const { return at_; }          // done: where the stretch ends
  std::size_t committed() const { return committed_; }  // up to here are whole calls
  std::vector<ParsedCall> take() { return std::exchange(calls_, {}); }

 protected:
  enum class Match : std::uint8_t { yes, no, unknown };
  // Whether `literal` stands at at_ (then it is passed over). unknown: the text ends inside it.
  Match match(std::string_view text, std::string_view literal, bool at_end);
  Match match_any(std::string_view text, const std::vector<std::string>& literals, bool at_end) const;
  void skip_space(std::string_view text);
  void commit(ParsedCall call) {
    calls_.push_back(std::move(call));
    committed_ = at_;
  }
  static Outcome incomplete(bool at_end) { return at_end ? Outcome::cut_off : Outcome::more; }

  CallContext context_;
  std::size_t at_ = 0, committed_ = 0;
  std::vector<ParsedCall> calls_;
};

using CallReaderFactory = std::function<std::unique_ptr<CallReader>(const CallContext&)>;

bool is_call_name(std::string_view name);  // letters, digits and _ - . : /

// The call that a JSON object means: {"name": …, "arguments" | "parameters": …}, also Cohere's "tool_name"
// and OpenAI's {"function": {…}}. Nothing: it has not this shape. `members` of the object keep the arguments'
// own spelling.
std::optional<ParsedCall> call_from_object(std::string_view object,
                                           const std::vector<JsonScanner::Member>& members);
// Checks that it is a JSON object; empty text means {}.
std::optional<std::string> arguments_from_text(std::string_view text);

}  // namespace pensieve::model::reply
