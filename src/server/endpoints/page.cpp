// GET / and the files of the chat page and of the API's page. Everything is in the program; the policy
// forbids the page to load or talk to anything but this server.
#include <algorithm>

#include "server/endpoint.h"
#include "server/web/page_files.h"

namespace pensieve::server {
namespace {

constexpr std::string_view kPaths[] = {"/",          "/app.js", "/markdown.js", "/store.js",
                                       "/style.css", "/docs",   "/docs.js",     "/docs.css"};

Task<void> handle(Exchange& exchange, Context&) {
  const auto files = page_files();
  const std::string& path = exchange.request().path;
  // Clients of Ollama's API look here whether somebody is in; browsers say that they want a page.
  if (path == "/" && exchange.request().header("accept").find("text/html") == std::string_view::npos)
    co_return exchange.reply(200, "text/plain; charset=utf-8", "Ollama is running", {{"vary", "accept"}});
  const auto file =
      std::find_if(files.begin(), files.end(), [&path](const PageFile& entry) { return entry.path == path; });
  if (file == files.end()) co_return;
  std::vector<Header> headers{
      {"cache-control", "no-cache"},
      {"etag", std::string(file->tag)},
      {"content-security-policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
       "base-uri 'none'; "
       "form-action 'none'; frame-ancestors 'none'"},
      {"referrer-policy", "no-referrer"},
  };
  const bool known = exchange.request().header("if-none-match") == file->tag;
  exchange.reply(known ? 304 : 200, file->content_type, known ? "" : std::string(file->text),
                 std::move(headers));
}

}  // namespace

extern const Endpoint endpoint_page;
const Endpoint endpoint_page{"GET", kPaths, &handle, Access::everybody};

}  // namespace pensieve::server
