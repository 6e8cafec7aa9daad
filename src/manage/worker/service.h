// What a worker process does: it reads what the gateway asks from a socket and answers there, until that is
// closed. The gateway's end: link.h.
#pragma once

#include "util/log.h"

namespace pensieve::manage {

// How a worker's run ended; the process should end at once with this as its exit code, without tidying:
// memory goes back faster that way.
enum class ServiceEnd : int {
  asked = 0,     // the socket was closed, the load failed and was told, or the examination is done
  nonsense = 1,  // the other side is no gateway, or sent what no gateway sends
};

// `socket`: blocking, connected; not closed. Not a library for others: it ends the process when what is
// unsent grows beyond all bounds, since then nobody reads.
ServiceEnd serve_gateway(int socket, util::Log& log);

}  // namespace pensieve::manage
