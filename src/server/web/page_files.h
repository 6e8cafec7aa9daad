// The files of the chat page, embedded at build time from this folder.
#pragma once

#include <span>
#include <string_view>

namespace pensieve::server {

struct PageFile {
  std::string_view path;  // "/app.js"; the page itself is "/"
  std::string_view content_type;
  std::string_view text;
  std::string_view tag;  // changes with the text
};

std::span<const PageFile> page_files();

}  // namespace pensieve::server
