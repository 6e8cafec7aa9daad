// libFuzzer: any bytes as a TOML configuration: values or errors that name a line, never a crash.
#include <cstdlib>

#include "manage/config/file.h"
#include "manage/config/log_options.h"
#include "manage/pool_options.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pensieve::manage;
  LogOptions log;
  PoolOptions pool;
  Schema schema;
  schema.add("log", kLogOptions, log, "log-");
  schema.add("pool", kPoolOptions, pool, "pool-");
  for (const pensieve::Error& problem :
       apply_toml(schema, {reinterpret_cast<const char*>(data), size}, "fuzz")) {
    if (!problem.what.starts_with("fuzz:") || problem.what.at(5) < '1' || problem.what.at(5) > '9')
      std::abort();
  }
  return 0;
}
