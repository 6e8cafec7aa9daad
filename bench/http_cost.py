#!/usr/bin/env python3
"""What the way to a client costs one stream of answers: `serve` with its model process, over HTTP, against `bench` in one process.

Usage: http_cost.py PENSIEVE MODEL [TOKENS [ROUNDS]]. Both make TOKENS tokens behind a prompt of the same length; the server's rate
is that of the tokens as they arrive, from the first to the last. Interleaved rounds: what the machine does meanwhile hits both.
Run it on a quiet machine. Prints one line of JSON.
"""
import json
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

PROMPT = "Tell me everything that you know about rivers, mountains and the sea, and do not leave anything out."


def streamed(address, tokens):
    """Tokens of the prompt, and tokens each second after the first. The client shares the processors with the model: it only
    notes when bytes come, and reads them afterwards."""
    body = json.dumps({"prompt": PROMPT, "max_tokens": tokens, "ignore_eos": True, "temperature": 0, "stream": True,
                       "stream_options": {"include_usage": True}}).encode()
    connection = socket.create_connection(address, timeout=600)
    connection.sendall(b"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n"
                       b"content-length: %d\r\n\r\n%s" % (len(body), body))
    parts, arrivals = [], []
    while part := connection.recv(65536):
        parts.append(part)
        if b"data: " in part:
            arrivals.append(time.monotonic())
    connection.close()
    answer = b"".join(parts)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(answer[:500])
    usage = {name: int(number) for name, number in re.findall(rb'"(prompt_tokens|completion_tokens)":(\d+)', answer)}
    if usage[b"completion_tokens"] != tokens:
        raise SystemExit(f"{usage[b'completion_tokens']} tokens instead of {tokens}")
    # The last events tell the reason to stop and the usage: they come with the last token.
    return usage[b"prompt_tokens"], (tokens - 1) / (arrivals[-1] - arrivals[0])


def timed(program, model, depth, tokens):
    done = subprocess.run([program, "bench", "--model", model, "--prompt", "0", "--generate", str(tokens), "--depth", str(depth),
                           "--repeat", "1", "--json"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["generate_tokens_per_second"]["median"]


def main():
    program, model = sys.argv[1:3]
    tokens, rounds = (int(word) for word in (sys.argv[3:] + ["256", "7"][len(sys.argv) - 3:]))
    server = subprocess.Popen([program, "serve", model, "--port", "0", "--grpc-port", "0", "--log-level", "error"],
                              stdout=subprocess.PIPE, text=True)
    try:
        address = re.match(r"listening http=http://([\d.]+):(\d+)", server.stdout.readline()).groups()
        depth, _ = streamed(address, tokens)  # loads the model, warms the cache
        http_rates, bench_rates = [], []
        for _ in range(rounds):
            http_rates.append(streamed(address, tokens)[1])
            bench_rates.append(timed(program, model, depth, tokens))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        server.stdout.close()
    ratios = [over_http / alone for over_http, alone in zip(http_rates, bench_rates)]
    print(json.dumps({"prompt": depth, "tokens": tokens, "rounds": rounds, "http_tokens_per_second": round(statistics.median(http_rates), 1),
                      "bench_tokens_per_second": round(statistics.median(bench_rates), 1), "ratio": round(statistics.median(ratios), 3),
                      "ratios": [round(ratio, 3) for ratio in ratios]}))


if __name__ == "__main__":
    main()
