// Who may ask (hosts, origins, keys), and which endpoint a path means.
#include "server/access.h"

#include <gtest/gtest.h>

#include "server/router.h"

namespace pensieve::server {
namespace {

TEST(HostNames, LoopbackBindAcceptsLocalNamesOnly) {
  const HostNames hosts("127.0.0.1", {"Llm.Example.com"});
  for (const char* good : {"localhost", "localhost:7777", "LOCALHOST.", "127.0.0.1:1", "127.9.9.9",
                           "[::1]:80", "a.localhost", "llm.example.com:443"}) {
    EXPECT_TRUE(hosts.accepts_host(good)) << good;
  }
  for (const char* bad : {"", "evil.com", "localhost.evil.com", "127.0.0.1.evil.com", "192.168.1.2", "[::2]",
                          "localhost:x", "localhost:80:80", "[::1", "0x7f.1"}) {
    EXPECT_FALSE(hosts.accepts_host(bad)) << bad;
  }
}

TEST(HostNames, WildcardBindAcceptsAddressesButNoForeignNames) {
  const HostNames hosts("0.0.0.0", {});
  EXPECT_TRUE(hosts.accepts_host("192.168.1.2:7777"));
  EXPECT_TRUE(hosts.accepts_host("[fe80::1]"));
  EXPECT_FALSE(hosts.accepts_host("evil.com"));
}

TEST(HostNames, OriginsAreLocalOwnOrAllowed) {
  const HostNames hosts("0.0.0.0", {"ui.example.com"});
  EXPECT_TRUE(hosts.accepts_origin("http://localhost:3000", "192.168.1.2:7777"));
  EXPECT_TRUE(hosts.accepts_origin("http://192.168.1.2:7777", "192.168.1.2:7777"));
  EXPECT_TRUE(hosts.accepts_origin("https://ui.example.com", "192.168.1.2:7777"));
  EXPECT_FALSE(hosts.accepts_origin("http://6.6.6.6", "192.168.1.2:7777"));
  EXPECT_FALSE(hosts.accepts_origin("null", "localhost"));
  EXPECT_FALSE(hosts.accepts_origin("http://localhost.evil.com", "localhost"));
}

TEST(KeyRing, AcceptsExactlyItsKeys) {
  const KeyRing keys({"one", "two", ""});
  EXPECT_TRUE(keys.accepts("two"));
  for (const char* bad : {"", "on", "one ", "One", "onetwo"}) EXPECT_FALSE(keys.accepts(bad)) << bad;
  EXPECT_TRUE(KeyRing({}).open());
}

TEST(Router, MatchesExactlyAndDecodesParameters) {
  const auto route = [](const char* method, const char* path) {
    return find_route(endpoints(), method, path);
  };
  EXPECT_EQ(route("GET", "/v1/models").pattern, "/v1/models");
  EXPECT_EQ(route("HEAD", "/v1/models").endpoint, route("GET", "/v1/models").endpoint);
  const Route model = route("GET", "/v1/models/a%2Fb/c");
  ASSERT_EQ(model.parameters.size(), 1U);
  EXPECT_EQ(model.parameters[0].value, "a/b/c");
  EXPECT_EQ(route("PUT", "/tokenize").endpoint, nullptr);
  EXPECT_EQ(route("PUT", "/tokenize").allow, "POST");
  for (const char* unknown : {"", "x", "/v1", "/v1/models/", "/v1//models", "/V1/models", "/v1/models/a%00",
                              "/v1/models/%zz", "*"}) {
    EXPECT_TRUE(route("GET", unknown).pattern.empty()) << unknown;
  }
}

TEST(Request, QueriesAreDecoded) {
  Request request;
  request.query = "a=1&model=x%2Fy+z&b";
  EXPECT_EQ(request.query_value("model"), "x/y z");
  EXPECT_EQ(request.query_value("b"), "");
  EXPECT_FALSE(request.query_value("c"));
}

}  // namespace
}  // namespace pensieve::server
