// The program `pensieve`: hands the command line to the verb that it names.
#include "tools/command_line.h"

int main(int argc, char** argv) { return pensieve::tools::run_command_line(argc, argv); }
