#!/usr/bin/env python3
"""Whether what a model was said to need, before it was loaded, is what it then holds when its context is full.

    check_memory.py PROGRAM MODEL...

Each MODEL (GGUF file or SafeTensors folder) is filled to its context by `pensieve bench` on the CPU, or the backends named
by --backend (not `reference`, which reads weights from the mapped file and counts only what it copies); estimate and use may differ by 3 % in all (and of states, weights and scratch each is shown). Models that this
build does not support are listed as such; exit code 1 when any is off, or none was measured.
"""
import argparse
import json
import subprocess
import sys

LIMIT = 0.03


def measure(program, model, backend, most):
    shown = subprocess.run([program, "show", model, "--json", "--backend", backend], capture_output=True, text=True)
    if shown.returncode != 0:
        return None, shown.stderr.strip() or "refused"
    facts = json.loads(shown.stdout)
    if "completion" not in facts["capabilities"]:
        return None, "makes embeddings: bench does not run it"
    if "problem" in facts["memory"]:
        return None, facts["memory"]["problem"]
    tokens = min(facts["context_length"], most)
    command = [program, "bench", "--model", model, "--backend", backend, "--threads", "2", "--prompt", str(tokens - 8), "--generate", "8", "--repeat", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        return None, done.stderr.strip()
    result = json.loads(done.stdout)
    return (result["memory_estimate"], result["memory"]), f"{tokens} tokens"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--backend", action="append")
    parser.add_argument("--most-tokens", type=int, default=4096)
    arguments = parser.parse_args()
    measured = wrong = 0
    for model in arguments.models:
        for backend in arguments.backend or ["cpu"]:
            pair, note = measure(arguments.program, model, backend, arguments.most_tokens)
            if pair is None:
                print(f"not measured  {model} on {backend}: {note[:150]}")
                continue
            estimate, used = pair
            said, held = sum(estimate.values()), sum(used.values())
            off = said / held - 1
            measured += 1
            wrong += abs(off) > LIMIT
            parts = ", ".join(f"{name} {estimate[name]} / {used[name]}" for name in used)
            print(f"{'OFF ' if abs(off) > LIMIT else 'ok  '} {100 * off:+6.2f} %  {model} on {backend}, {note}: {parts}")
    print(f"{measured} measured, {wrong} off by more than {100 * LIMIT:.0f} %")
    sys.exit(1 if wrong or not measured else 0)


main()
