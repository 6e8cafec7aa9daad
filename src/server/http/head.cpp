// Grammar of RFC 9112 sections 2-6, without the leniencies that it allows.
#include "server/http/head.h"

#include <algorithm>

namespace pensieve::server {
namespace {

tl::unexpected<Refusal> refuse(int status, std::string message) {
  return tl::unexpected(Refusal{status, std::move(message)});
}

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "http://host/path?x" names the host in the target; it replaces the Host header (RFC 9112, 3.2.2).
bool split_absolute(std::string& target, std::string& authority) {
  constexpr std::string_view kScheme = "http://";
  if (lower(std::string_view(target).substr(0, kScheme.size())) != kScheme) return false;
  const std::size_t end = std::min(target.find_first_of("/?", kScheme.size()), target.size());
  authority = target.substr(kScheme.size(), end - kScheme.size());
  target = target.substr(end);
  if (!target.starts_with('/')) target = "/" + target;
  return !authority.empty();
}

tl::expected<void, Refusal> parse_request_line(std::string_view line, HeadLimits limits, Head& head,
                                               std::string& authority) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return refuse(400, "the request line is not 'METHOD target HTTP/1.1'");
  }
  head.method = line.substr(0, first);
  head.target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(head.method) || head.method.size() > 32) return refuse(400, "the method is not a token");
  if (head.target.size() > limits.target) {
    return refuse(414, "the request target is longer than " + std::to_string(limits.target) + " bytes");
  }
  if (!std::all_of(head.target.begin(), head.target.end(), [](char c) { return c > 0x20 && c < 0x7F; })) {
    return refuse(400, "the request target holds characters that must be percent-encoded");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    const bool looks_right = version.starts_with("HTTP/") && version.size() == 8;
    return refuse(looks_right ? 505 : 400, "this server speaks HTTP/1.1 and HTTP/1.0");
  }
  head.version_1_0 = version == "HTTP/1.0";
  head.keep_alive = !head.version_1_0;
  if (!head.target.starts_with('/') && head.target != "*" && !split_absolute(head.target, authority)) {
    return refuse(400, "the request target must begin with '/'");
  }
  return {};
}

tl::expected<void, Refusal> parse_field(std::string_view line, Head& head) {
  if (line.front() == ' ' || line.front() == '\t') return refuse(400, "folded header lines are not accepted");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return refuse(400, "a header line is not 'name: value'");
  }
  const std::string_view value = trim(line.substr(colon + 1));
  const bool clean = std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
  });
  if (!clean) return refuse(400, "a header value holds control characters");
  head.request.headers.push_back({lower(line.substr(0, colon)), std::string(value)});
  return {};
}

tl::expected<void, Refusal> parse_framing(Head& head) {
  int lengths = 0, codings = 0, hosts = 0;
  for (const Header& field : head.request.headers) {
    if (field.name == "content-length") {
      ++lengths;
      const bool digits =
          !field.value.empty() && field.value.find_first_not_of("0123456789") == std::string::npos;
      if (!digits) return refuse(400, "content-length is not a plain decimal number");
      if (field.value.size() > 18) return refuse(413, "content-length is beyond every limit");
      head.content_length = std::stoull(field.value);
    } else if (field.name == "transfer-encoding") {
      ++codings;
      if (lower(field.value) != "chunked")
        return refuse(400, "the only transfer-encoding accepted is 'chunked'");
      head.chunked = true;
    } else if (field.name == "host") {
      ++hosts;
    } else if (field.name == "connection") {
      const std::string value = lower(field.value);
      if (value.find("close") != std::string::npos) head.keep_alive = false;
    } else if (field.name == "expect") {
      if (lower(field.value) != "100-continue")
        return refuse(417, "the only expectation understood is '100-continue'");
      head.expects_continue = !head.version_1_0;
    }
  }
  if (lengths > 1) return refuse(400, "content-length is given twice");
  if (codings > 1 || (codings == 1 && lengths == 1)) {
    return refuse(400, "content-length and transfer-encoding cannot both frame a body");
  }
  if (codings == 1 && head.version_1_0) return refuse(400, "HTTP/1.0 knows no transfer-encoding");
  if (hosts > 1 || (hosts == 0 && !head.version_1_0)) return refuse(400, "exactly one host header is needed");
  return {};
}

}  // namespace

tl::expected<std::size_t, Refusal> find_head(std::string_view input, std::size_t& scanned,
                                             HeadLimits limits) {
  for (std::size_t at = scanned; at < input.size(); ++at) {
    if (input[at] != '\n') continue;
    if (at == 0 || input[at - 1] != '\r') return refuse(400, "lines of the head must end with CR LF");
    if (at >= 3 && input[at - 2] == '\n') {
      if (at + 1 > limits.bytes) break;
      return at + 1;
    }
  }
  scanned = input.size();
  if (input.size() > limits.target + 64 && input.find('\n') == std::string_view::npos) {
    return refuse(414, "the request line is longer than " + std::to_string(limits.target) + " bytes");
  }
  if (input.size() > limits.bytes) {
    return refuse(431, "the request head is longer than " + std::to_string(limits.bytes) + " bytes");
  }
  return std::size_t{0};
}

tl::expected<Head, Refusal> parse_head(std::string_view bytes, HeadLimits limits) {
  Head head;
  std::string authority;
  bool first = true;
  bytes.remove_suffix(2);  // the empty line
  while (!bytes.empty()) {
    const std::size_t end = bytes.find("\r\n");
    const std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(end + 2);
    if (line.find('\r') != std::string_view::npos) return refuse(400, "a bare CR stands in the head");
    const auto read = first ? parse_request_line(line, limits, head, authority) : parse_field(line, head);
    if (!read) return tl::unexpected(read.error());
    first = false;
  }
  if (const auto framed = parse_framing(head); !framed) return tl::unexpected(framed.error());
  if (!authority.empty()) {
    for (Header& field : head.request.headers) {
      if (field.name == "host") field.value = authority;
    }
  }
  const std::size_t query = head.target.find('?');
  head.request.path = head.target.substr(0, query);
  if (query != std::string::npos) head.request.query = head.target.substr(query + 1);
  head.request.method = head.method == "HEAD" ? "GET" : head.method;
  return head;
}

}  // namespace pensieve::server
