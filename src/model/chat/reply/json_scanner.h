// JsonScanner: finds the end of a JSON object or array in text that is still growing, and the members of the
// outermost object. Not a parser: escapes, numbers and UTF-8 are checked by util::parse_json once it is
// whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pensieve::model::reply {

class JsonScanner {
 public:
  enum class Outcome : std::uint8_t { more, complete, invalid };
  struct Member {  // byte ranges of the text; quotes included
    std::size_t key_begin, key_end, value_begin, value_end;
  };

  // `text` begins with the value and grows from call to call; bytes seen before are not looked at again.
  // invalid: no continuation can be JSON (or it is nested too deeply).
  Outcome scan(std::string_view text);
  std::size_t position() const { return at_; }                     // complete: the length of the value
  const std::vector<Member>& members() const { return members_; }  // finished ones

 private:
  enum class Expect : std::uint8_t { value, value_or_close, key, key_or_close, colon, comma_or_close };
  bool structural(char c);
  bool string_byte(char c);
  bool scalar_byte(char c);
  bool begin_value(char c);
  bool close(char bracket);
  void value_ended(std::size_t end);

  std::size_t at_ = 0;
  std::string open_;  // brackets not closed yet
  Expect expect_ = Expect::value;
  bool in_string_ = false, escaped_ = false, is_key_ = false;
  std::string scalar_;  // a number or literal that goes on
  Member member_{};
  std::vector<Member> members_;
  bool done_ = false;
};

}  // namespace pensieve::model::reply
