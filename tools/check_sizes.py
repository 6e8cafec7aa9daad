#!/usr/bin/env python3
"""Prints the lines of code by module, warns about files of over 400 lines and fails at 600 (generated tables exempt).

Usage: check_sizes.py ROOT. Also fails when a file named in the request's path of ARCHITECTURE.md does not exist.
"""
import re
import statistics
import sys
from collections import defaultdict
from pathlib import Path

WARN, FAIL = 400, 600
SOURCES = {".h", ".cpp", ".cu", ".cuh", ".py", ".js", ".css"}


def main():
    root = Path(sys.argv[1])
    sizes = defaultdict(list)
    failed = False
    for folder in ("src", "tools", "tests"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SOURCES or "generated" in path.parts or "data" in path.parts:
                continue
            lines = len(path.read_text(encoding="utf-8").splitlines())
            parts = path.relative_to(root).parts
            sizes["/".join(parts[: min(2, len(parts) - 1)])].append(lines)
            if lines > WARN:
                print(f"{'FAIL' if lines > FAIL else 'warn'}: {path.relative_to(root)} has {lines} lines (warn {WARN}, fail {FAIL}): split it by meaning")
                failed = failed or lines > FAIL
    print(f"{'folder':24}{'files':>7}{'lines':>8}{'median':>8}{'largest':>9}")
    for folder, counts in sorted(sizes.items()):
        print(f"{folder:24}{len(counts):7}{sum(counts):8}{int(statistics.median(counts)):8}{max(counts):9}")
    for name in re.findall(r"`(src/[\w/.-]+)`", (root / "ARCHITECTURE.md").read_text(encoding="utf-8")):
        if not (root / name).exists():
            print(f"FAIL: ARCHITECTURE.md names {name}, which does not exist")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
