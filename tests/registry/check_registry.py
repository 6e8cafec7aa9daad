#!/usr/bin/env python3
"""Proves that the folder is the registry: copies the tree, drops one fixture file into each of the four folders, builds the
generated tables and the fixtures, and asks the object files whether each fixture is defined and listed.

Usage: check_registry.py ROOT SCRATCH. No file of the tree is edited, which is the promise under test.
"""
import shutil
import subprocess
import sys
from pathlib import Path

# fixture file -> (where it is dropped, symbol it defines, generated table that must list it, object that must define it)
FIXTURES = {
    "fixture_arch.cpp": ("src/model/arch/fixture_arch.cpp", "arch_fixture_arch", "architectures_registry.cpp", "fixture_arch.cpp"),
    "fixture_codec.codec.h": ("src/core/codecs/fixture_codec.codec.h", "codec_fixture_codec", "codecs_registry.cpp", "codec_fixture_codec.cpp"),
    "fixture_device.cpp": ("src/hal/fixture_device/backend.cpp", "backend_fixture_device", "backends_registry.cpp", "fixture_device/backend.cpp"),
    "fixture_endpoint.cpp": ("src/server/endpoints/fixture_endpoint.cpp", "endpoint_fixture_endpoint", "endpoints_registry.cpp", "fixture_endpoint.cpp"),
}


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}")
    return done.stdout


def objects(build):
    """Object paths by the end of their source's name, as ninja knows them."""
    names = [line.split(":")[0] for line in run("ninja", "-C", build, "-t", "targets", "all").splitlines()]
    return [name for name in names if name.endswith(".cpp.o")]


def symbols(build, path, kind):
    """Mangled names that the object defines (kind "defined") or refers to ("undefined")."""
    return run("nm", f"--{kind}-only", build / path)


def main():
    root, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    shutil.rmtree(scratch, ignore_errors=True)
    tree, build = scratch / "tree", scratch / "build"
    for name in ("src", "cmake", "CMakeLists.txt"):
        source = root / name
        if source.is_dir():
            shutil.copytree(source, tree / name)
        else:
            shutil.copy(source, tree / name)
    for fixture, (place, *_rest) in FIXTURES.items():
        target = tree / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / "tests/registry/fixtures" / fixture, target)
    run("cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DPENSIEVE_TESTS=OFF")

    known = objects(build)
    wanted = {}
    for _place, symbol, table, source in FIXTURES.values():
        wanted[symbol] = [next((o for o in known if o.endswith(f"/{name}.o")), None) for name in (table, source)]
        if None in wanted[symbol]:
            sys.exit(f"{symbol}: the build does not know {table} or {source}; the folder was not read as a registry")
    run("ninja", "-C", build, *sorted({path for pair in wanted.values() for path in pair}))

    for symbol, (table, source) in wanted.items():
        if symbol not in symbols(build, table, "undefined"):
            sys.exit(f"{symbol} is missing in the generated table {table}")
        if symbol not in symbols(build, source, "defined"):
            sys.exit(f"{symbol} is not defined by {source}")
        print(f"{symbol}: listed and defined")
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
