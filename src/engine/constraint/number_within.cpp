// Numbers within bounds: an automaton that compares digits with those of the bounds as they come. A bound is
// "tight" while the digits so far are its own.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/constraint/json_pieces.h"

namespace pensieve::engine::constraint {
namespace {

struct Decimal {  // not negative
  std::string whole = "0", fraction;
  bool zero() const { return whole == "0" && fraction.find_first_not_of('0') == std::string::npos; }
};

Decimal decimal_of(std::string_view text) {
  Decimal decimal;
  const std::size_t point = text.find('.');
  decimal.whole = text.substr(0, point);
  if (point != std::string_view::npos) decimal.fraction = text.substr(point + 1);
  decimal.whole.erase(0, std::min(decimal.whole.find_first_not_of('0'), decimal.whole.size()));
  if (decimal.whole.empty()) decimal.whole = "0";
  return decimal;
}

struct Limit {
  Decimal value;
  bool exclusive;
};

// One number of digits before the point.
class Digits {
 public:
  Digits(Graph& graph, bool integer, const std::optional<Limit>& low, const std::optional<Limit>& high,
         Node out)
      : graph_(graph), integer_(integer), low_(low), high_(high), out_(out) {
    for (const auto* limit : {&low_, &high_}) {
      if (*limit) longest_ = std::max(longest_, (*limit)->value.fraction.size());
    }
  }

  // Numbers with `length` digits before the point; `tight_*`: of the length of that bound.
  void whole(Node from, std::size_t length, bool tight_low, bool tight_high) {
    whole_nodes_.assign((length + 1) * 4, -1);
    at_whole(from, 0, length, tight_low, tight_high);
  }

  // Any number of at least `length` digits before the point, with no bound.
  void longer(Node from, std::size_t length) {
    Node at = from;
    for (std::size_t i = 0; i < length; ++i) {
      const Node next = graph_.node();
      graph_.bytes(at, i == 0 && length > 1 ? '1' : (i == 0 ? '1' : '0'), '9', next);
      at = next;
    }
    graph_.bytes(at, '0', '9', at);
    after_whole(at, false, false);
  }

 private:
  static char digit(const std::string& digits, std::size_t at) {
    return at < digits.size() ? digits[at] : '0';
  }

  void at_whole(Node node, std::size_t index, std::size_t length, bool tight_low, bool tight_high) {
    if (index == length) return after_whole(node, tight_low, tight_high);
    const char first = index == 0 && length > 1 ? '1' : '0';
    for (char d = first; d <= '9'; ++d) {
      const char least = tight_low ? low_->value.whole[index] : '0',
                 most = tight_high ? high_->value.whole[index] : '9';
      if (d < least || d > most) continue;
      const bool low = tight_low && d == least, high = tight_high && d == most;
      Node& next = whole_nodes_[(index + 1) * 4 + (low ? 2U : 0U) + (high ? 1U : 0U)];
      const bool fresh = next < 0;
      if (fresh) next = graph_.node();
      const Node target = next;
      graph_.bytes(node, static_cast<std::uint8_t>(d), static_cast<std::uint8_t>(d), target);
      if (fresh) at_whole(target, index + 1, length, low, high);
    }
  }

  bool may_stop(std::size_t fraction_digits, bool tight_low, bool tight_high) const {
    const auto rest_is_zero = [&](const Limit& limit) {
      return fraction_digits >= limit.value.fraction.size() ||
             limit.value.fraction.find_first_not_of('0', fraction_digits) == std::string::npos;
    };
    if (tight_low && (!rest_is_zero(*low_) || low_->exclusive)) return false;
    return !(tight_high && rest_is_zero(*high_) && high_->exclusive);
  }

  void after_whole(Node node, bool tight_low, bool tight_high) {
    if (may_stop(0, tight_low, tight_high)) graph_.nothing(node, out_);
    if (integer_) return;
    const Node point = graph_.node();
    graph_.bytes(node, '.', '.', point);
    std::vector<Node> nodes((longest_ + 2) * 4, -1);
    at_fraction(point, 0, tight_low, tight_high, nodes);
  }

  // Behind the last digit of both bounds every further digit is compared with 0.
  void at_fraction(Node node, std::size_t index, bool tight_low, bool tight_high, std::vector<Node>& nodes) {
    const std::size_t next_index = std::min(index + 1, longest_ + 1);
    for (char d = '0'; d <= '9'; ++d) {
      const char least = tight_low ? digit(low_->value.fraction, index) : '0';
      const char most = tight_high ? digit(high_->value.fraction, index) : '9';
      if (d < least || d > most) continue;
      const bool low = tight_low && d == least, high = tight_high && d == most;
      Node& next = nodes[next_index * 4 + (low ? 2U : 0U) + (high ? 1U : 0U)];
      const bool fresh = next < 0;
      if (fresh) next = graph_.node();
      const Node target = next;
      graph_.bytes(node, static_cast<std::uint8_t>(d), static_cast<std::uint8_t>(d), target);
      if (!fresh) continue;
      if (may_stop(next_index, low, high)) graph_.nothing(target, out_);
      at_fraction(target, next_index, low, high, nodes);
    }
  }

  Graph& graph_;
  bool integer_;
  const std::optional<Limit>&low_, &high_;
  Node out_;
  std::size_t longest_ = 0;
  std::vector<Node> whole_nodes_;
};

Part not_negative(Graph& graph, bool integer, const std::optional<Limit>& low,
                  const std::optional<Limit>& high) {
  const Part part{graph.node(), graph.node()};
  const std::size_t shortest = low ? low->value.whole.size() : 1;
  const std::size_t longest = std::max(high ? high->value.whole.size() : shortest, shortest);
  for (std::size_t length = shortest; length <= longest; ++length) {
    if (high && length > high->value.whole.size()) break;
    Digits digits(graph, integer, low, high, part.out);
    digits.whole(part.in, length, low && length == low->value.whole.size(),
                 high && length == high->value.whole.size());
  }
  if (!high) Digits(graph, integer, low, high, part.out).longer(part.in, longest + 1);
  return part;
}

}  // namespace

// The shortest spelling that reads back as the same number, without an exponent.
std::string plain_decimal(const util::Json& number) {
  const std::string text =
      number.is_number_float() ? fmt::format("{}", number.get<double>()) : util::to_json(number);
  const std::size_t e = text.find('e');
  if (e == std::string::npos) return text;
  const bool negative = text.front() == '-';
  std::string digits = text.substr(negative ? 1 : 0, e - (negative ? 1 : 0));
  std::size_t point = std::min(digits.find('.'), digits.size());
  if (point < digits.size()) digits.erase(point, 1);
  std::ptrdiff_t place = static_cast<std::ptrdiff_t>(point) + std::stoi(text.substr(e + 1));
  if (place <= 0) {
    digits.insert(0, static_cast<std::size_t>(1 - place), '0');
    place = 1;
  }
  point = static_cast<std::size_t>(place);
  if (point > digits.size()) digits.append(point - digits.size(), '0');
  if (point < digits.size()) digits.insert(point, 1, '.');
  return negative ? "-" + digits : digits;
}

int compare_decimals(const std::string& a, const std::string& b) {
  const bool a_negative = a.starts_with('-'), b_negative = b.starts_with('-');
  const Decimal x = decimal_of(std::string_view(a).substr(a_negative ? 1 : 0));
  const Decimal y = decimal_of(std::string_view(b).substr(b_negative ? 1 : 0));
  if (x.zero() && y.zero()) return 0;
  if (a_negative != b_negative) return a_negative ? -1 : 1;
  int order = 0;
  if (x.whole.size() != y.whole.size()) {
    order = x.whole.size() < y.whole.size() ? -1 : 1;
  } else {
    const std::size_t digits = std::max(x.fraction.size(), y.fraction.size());
    std::string left = x.whole + x.fraction, right = y.whole + y.fraction;
    left.append(digits - x.fraction.size(), '0');
    right.append(digits - y.fraction.size(), '0');
    order = left.compare(right);
  }
  return a_negative ? -order : order;
}

Part number_within(Graph& graph, bool integer, const std::optional<Bound>& low,
                   const std::optional<Bound>& high) {
  const auto limit = [](const Bound& bound) {
    const bool negative = bound.decimal.starts_with('-');
    return Limit{decimal_of(std::string_view(bound.decimal).substr(negative ? 1 : 0)), bound.exclusive};
  };
  const auto below_zero = [](const std::optional<Bound>& bound) {
    return bound && bound->decimal.starts_with('-') && compare_decimals(bound->decimal, "0") < 0;
  };
  std::vector<Part> parts;
  if (!below_zero(high)) {
    const std::optional<Limit> least = low && !below_zero(low) ? std::optional(limit(*low)) : std::nullopt;
    parts.push_back(not_negative(graph, integer, least, high ? std::optional(limit(*high)) : std::nullopt));
  }
  const bool low_allows_negative =
      !low || below_zero(low) || (compare_decimals(low->decimal, "0") == 0 && !low->exclusive);
  if (low_allows_negative) {  // -x with x between the mirrored bounds; -0 counts as 0
    std::optional<Limit> least, most;
    if (below_zero(high)) least = limit(*high);
    if (high && !below_zero(high) && compare_decimals(high->decimal, "0") == 0 && high->exclusive)
      least = Limit{Decimal{}, true};
    if (low) most = limit(*low);
    parts.push_back(graph.sequence({graph.literal("-"), not_negative(graph, integer, least, most)}));
  }
  return graph.choice(parts);
}

}  // namespace pensieve::engine::constraint
