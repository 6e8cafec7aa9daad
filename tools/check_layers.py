#!/usr/bin/env python3
"""Checks that includes point down: util <- core <- {model, engine, hal} <- manage <- server <- tools.

Usage: check_layers.py ROOT. Prints each include that breaks the rule; exit code 1 if there is one.
"""
import re
import sys
from pathlib import Path

MAY_INCLUDE = {
    "util": {"util"},
    "core": {"util", "core"},
    "model": {"util", "core", "model"},
    "engine": {"util", "core", "engine"},
    "hal": {"util", "core", "hal"},
    "manage": {"util", "core", "model", "engine", "hal", "manage"},
    "server": {"util", "core", "manage", "server"},
    "tools": {"util", "core", "model", "engine", "hal", "manage", "server", "tools"},
}
# A module's options are data that the composition root fills; manage may read the server's, nothing else of it.
ALLOWED_EXCEPTIONS = {("manage", "server/options.h")}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def violations(root):
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in {".h", ".cpp", ".cu", ".cuh"} or path.parent == root / "src":
            continue
        module = path.relative_to(root / "src").parts[0]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match[1].split("/")[0]
            place = f"{path.relative_to(root)}:{number}"
            if module not in MAY_INCLUDE:
                yield f"{place}: folder src/{module} is no module; add it to tools/check_layers.py and ARCHITECTURE.md"
            elif "/" not in match[1]:
                yield f'{place}: include "{match[1]}" by its path from src/'
            elif target in MAY_INCLUDE and target not in MAY_INCLUDE[module] and (module, match[1]) not in ALLOWED_EXCEPTIONS:
                yield f"{place}: {module} must not include {match[1]}"


def main():
    found = list(violations(Path(sys.argv[1])))
    print("\n".join(found) or "all includes point down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
