// Text: an immutable string that knows which of its bytes came from outside the template (from messages), and
// the builder that joins such strings. Not a container of code points: positions are bytes, always on
// character borders.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/chat/jinja/budget.h"

namespace pensieve::model::jinja {

enum class Origin : std::uint8_t { own, foreign, mixed };

struct Span {
  std::size_t begin, end;
};

// Always valid UTF-8. Copies share the bytes: values are copied into scopes, lists and loops all the time and
// never change, so sharing (shared_ptr) cannot be noticed.
class Text {
 public:
  Text() = default;
  explicit Text(std::string bytes, Origin origin = Origin::own);  // not mixed
  explicit Text(const char* bytes) : Text(std::string(bytes)) {}

  std::string_view view() const { return data_ ? std::string_view(data_->bytes) : std::string_view(); }
  std::size_t size() const { return data_ ? data_->bytes.size() : 0; }
  bool empty() const { return size() == 0; }
  std::size_t length() const { return data_ ? data_->length : 0; }  // in code points
  bool ascii() const { return length() == size(); }

  Origin origin() const { return data_ ? data_->origin : Origin::own; }
  bool has_foreign() const { return origin() != Origin::own; }
  // Declared safe for HTML (`safe`, `escape`): joined with +, it makes the other side escaped, as Python's
  // Markup does.
  bool markup() const { return data_ && data_->markup; }
  // The foreign stretches within [begin, end), relative to `begin`, ascending, apart from one another.
  std::vector<Span> foreign_spans(std::size_t begin, std::size_t end) const;
  std::vector<Span> foreign_spans() const { return foreign_spans(0, size()); }

  // Byte position of the code point `index`; size() when index >= length().
  std::size_t position(std::size_t index) const;

 private:
  friend class TextBuilder;
  struct Data {
    std::string bytes;
    std::size_t length = 0;
    Origin origin = Origin::own;
    std::vector<Span> spans;  // only when mixed
    bool markup = false;
    Charge charge;
  };
  explicit Text(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  std::shared_ptr<const Data> data_;  // null: empty
};

// Pays for every byte before it is stored.
class TextBuilder {
 public:
  explicit TextBuilder(Budget& budget, std::size_t limit = SIZE_MAX)
      : budget_(&budget), charge_(&budget), limit_(limit) {}

  Budget& budget() const { return *budget_; }
  std::size_t size() const { return bytes_.size(); }
  std::string_view view() const { return bytes_; }
  void append(std::string_view bytes, bool foreign = false);
  void append(const Text& text) { append(text, 0, text.size()); }
  void append(const Text& text, std::size_t begin, std::size_t end);
  void fill(std::size_t count, std::string_view bytes, bool foreign = false);
  // Declares all bytes foreign: for operations that lose track of where each byte came from.
  void mark_foreign();
  void mark_markup() { markup_ = true; }
  Text finish() &&;

 private:
  void reserve_for(std::size_t bytes);
  void mark(std::size_t begin, std::size_t end);
  Budget* budget_;
  Charge charge_;
  std::size_t limit_;
  std::string bytes_;
  std::vector<Span> spans_;
  bool markup_ = false;
};

// Appends `text` with the characters that mean something in HTML replaced, unless it is markup already.
void append_escaped(TextBuilder& out, const Text& text);

// Slices and derived texts of markup are markup.
Text slice(Budget& budget, const Text& text, std::size_t begin, std::size_t end);
// A text computed from `source` by an operation that does not keep positions: foreign as soon as any byte of
// it was.
Text derive(Budget& budget, std::string_view bytes, const Text& source);

// Bytes of the character at text[at]; at < text.size(), text is valid UTF-8.
inline std::size_t character_size(std::string_view text, std::size_t at) {
  std::size_t end = at + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return end - at;
}

}  // namespace pensieve::model::jinja
