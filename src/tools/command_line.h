// The command line as a whole: parses it and runs the verb.
#pragma once

namespace pensieve::tools {

// Returns the exit code of the contract (tools/verb.h).
int run_command_line(int argc, char** argv);

}  // namespace pensieve::tools
