// What the operating system tells of this process, under the names that Prometheus' client libraries use.
// Not the machine: that is hal/detect.
#pragma once

namespace pensieve::server {

class Exposition;

void write_process_facts(Exposition& out);

}  // namespace pensieve::server
