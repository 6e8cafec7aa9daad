#!/usr/bin/env python3
"""What the border between server and model process costs for each token: the same requests to `serve` with and without it.

Usage: worker_border.py PENSIEVE [STREAMS [TOKENS [ROUNDS]]]. The null backend computes nothing, so all that is left is the way
of a token. Processor time of all the server's processes is what counts (it hardly depends on what else the machine does); the
time on the clock is printed beside it. Prints one line of JSON.
"""
import http.client
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "program"))
import tiny_model

TICK = os.sysconf("SC_CLK_TCK")


def processes(pid):
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(child) for child in task.read_text().split()]
    return found


def processor_seconds(pids):
    total = 0.0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int((task / "schedstat").read_text().split()[0]) / 1e9  # nanoseconds on a processor
    return total


def ask(address, tokens, stream):
    connection = http.client.HTTPConnection(*address, timeout=600)
    body = {"prompt": "go", "max_tokens": tokens, "ignore_eos": True, "temperature": 0, "stream": stream}
    connection.request("POST", "/v1/completions", json.dumps(body), {"content-type": "application/json"})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {data[:300]!r}")


def together(address, streams, tokens, stream):
    threads = [threading.Thread(target=ask, args=(address, tokens, stream)) for _ in range(streams)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def measure(program, model, isolation, streams, tokens, stream):
    """Microseconds for each token: on processors, and on the clock."""
    process = subprocess.Popen([program, "serve", model, "--port", "0", "--grpc-port", "0", "--backend", "null", "--threads", "1",
                                "--parallel", str(streams), "--context", "4096", "--isolation", isolation, "--log-level", "error"],
                               stdout=subprocess.PIPE, text=True)
    try:
        address = re.match(r"listening http=http://([\d.]+):(\d+)", process.stdout.readline()).groups()
        together(address, streams, 8, stream)
        pids = processes(process.pid)
        before, begun = processor_seconds(pids), time.monotonic()
        together(address, streams, tokens, stream)
        clock, spent = time.monotonic() - begun, processor_seconds(pids) - before
        return spent * 1e6 / (streams * tokens), clock * 1e6 / (streams * tokens)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()


def main():
    program = sys.argv[1]
    streams, tokens, rounds = (int(word) for word in (sys.argv[2:] + ["64", "2000", "5"][len(sys.argv) - 2:]))
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "tiny.gguf")
        tiny_model.write(model, context=4096)
        report = {"streams": streams, "tokens": tokens, "rounds": rounds}
        for stream in (False, True):
            found = {isolation: [] for isolation in ("none", "process")}
            for _ in range(rounds):  # interleaved: what the machine does meanwhile hits both
                for isolation, results in found.items():
                    results.append(measure(program, model, isolation, streams, tokens, stream))
            kind = "streamed" if stream else "whole"
            for isolation, results in found.items():
                report[f"{kind}_{isolation}_processor_us"] = round(statistics.median(r[0] for r in results), 2)
                report[f"{kind}_{isolation}_clock_us"] = round(statistics.median(r[1] for r in results), 2)
            report[f"{kind}_border_processor_us"] = round(report[f"{kind}_process_processor_us"] - report[f"{kind}_none_processor_us"], 2)
        print(json.dumps(report))


if __name__ == "__main__":
    main()
