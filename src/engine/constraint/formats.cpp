// Formats of JSON Schema as regular expressions (RFC 3339, 4122, 2673, 4291, 5321, 1123, 3986).
#include <array>

#include "engine/constraint/json_pieces.h"

namespace pensieve::engine::constraint {
namespace {

const char* const kDate =
    "(?:\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-"
    "9]|1\\d|2[0-8]))"
    "|(?:\\d{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[048]|[2468][048]|[13579][26])00)-02-29)";
const char* const kTime =
    "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d+)?(?:[Zz]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
const char* const kHex = "[0-9a-fA-F]";
const char* const kByte = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const char* const kLabel = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";

std::string ipv4() {
  const std::string byte = kByte;
  return byte + "(?:\\." + byte + "){3}";
}

std::string ipv6() {
  const std::string group = "[0-9a-fA-F]{1,4}", v4 = ipv4();
  std::string all = "(?:" + group + ":){7}" + group + "|::(?:" + group + "(?::" + group + "){0,6})?";
  for (int before = 1; before <= 7; ++before) {
    all += "|(?:" + group + ":){" + std::to_string(before) + "}";
    all += before == 7 ? std::string(":") : "(?::|(?::" + group + "){1," + std::to_string(7 - before) + "})";
  }
  all += "|(?:" + group + ":){6}" + v4 + "|::(?:" + group + ":){0,5}" + v4;
  for (int before = 1; before <= 5; ++before)
    all += "|(?:" + group + ":){" + std::to_string(before) + "}:(?:" + group + ":){0," +
           std::to_string(5 - before) + "}" + v4;
  return all;
}

std::string duration() {
  const std::string time = "T(?:\\d+H(?:\\d+M(?:\\d+S)?)?|\\d+M(?:\\d+S)?|\\d+S)";
  return "P(?:(?:\\d+Y(?:\\d+M(?:\\d+D)?)?|\\d+M(?:\\d+D)?|\\d+D)(?:" + time + ")?|" + time + "|\\d+W)";
}

}  // namespace

std::optional<std::string> format_pattern(const std::string& format) {
  const std::string hex = kHex, label = kLabel;
  const std::string host = label + "(?:\\." + label + ")*";
  const std::string uri_character = "(?:[A-Za-z0-9._~:/?@!$&'()*+,;=\\[\\]-]|%[0-9A-Fa-f]{2})*";
  if (format == "date") return kDate;
  if (format == "time") return kTime;
  if (format == "date-time") return std::string(kDate) + "[Tt]" + kTime;
  if (format == "duration") return duration();
  if (format == "uuid") return hex + "{8}-" + hex + "{4}-" + hex + "{4}-" + hex + "{4}-" + hex + "{12}";
  if (format == "ipv4") return ipv4();
  if (format == "ipv6") return ipv6();
  if (format == "hostname") return host;
  if (format == "email") {
    const std::string atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    return atom + "(?:\\." + atom + ")*@" + host;
  }
  if (format == "uri") return "[A-Za-z][A-Za-z0-9+.-]*:" + uri_character + "(?:#" + uri_character + ")?";
  return std::nullopt;
}

}  // namespace pensieve::engine::constraint
