"""Clients that leave at random moments, over every transport: no slot, page or descriptor is lost, and nobody else notices.

PENSIEVE_CANCELS sets how many (default 150); the promise is 10000.
"""
import json
import os
import random
import re
import tempfile
import threading
import time
import unittest
import urllib.request
from pathlib import Path

import tiny_model
import wire_clients
from test_serving import Server

COUNT = int(os.environ.get("PENSIEVE_CANCELS", "150"))
THREADS = 8


def metrics(server):
    with urllib.request.urlopen(f"http://{server.address[0]}:{server.address[1]}/metrics", timeout=60) as answer:
        text = answer.read().decode()

    def read(name):
        return sum(float(value) for value in re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.M))

    return {name: read(name) for name in ("pensieve_requests_running", "pensieve_requests_waiting", "pensieve_kv_cache_usage_ratio")}


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


class Cancels(unittest.TestCase):
    def settle(self, server, descriptors_before):
        """Waits until nothing runs and the descriptors of closed connections are gone; returns the last state seen."""
        end = time.monotonic() + 60
        while True:
            state = metrics(server)
            idle = state["pensieve_requests_running"] == 0 and state["pensieve_requests_waiting"] == 0
            if (idle and descriptors(server.process) <= descriptors_before) or time.monotonic() > end:
                return state, descriptors(server.process)
            time.sleep(0.1)

    def begin(self, server, dice):
        tokens = dice.choice((5, 100, 400))
        kind = dice.randrange(4)
        if kind < 2:
            return wire_clients.Http(server.address, stream=kind == 0, tokens=tokens)
        if kind == 2:
            return wire_clients.WebSocket(server.address, tokens)
        return wire_clients.Grpc(server.grpc_address, tokens)

    def leave_at_random(self, server, dice, count):
        for _ in range(count):
            client = self.begin(server, dice)
            moment = dice.randrange(3)
            if moment == 0:
                time.sleep(dice.uniform(0, 0.02))
            elif moment == 1:
                for _ in range(dice.randrange(1, 4)):
                    if not client.receive():
                        break
            client.leave(politely=dice.random() < 0.5)

    def test_nothing_is_lost(self):
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "tiny.gguf")
            tiny_model.write(path)
            server = Server(path, "--backend", "null", "--context", "512")
            try:
                self.run_cancels(server)
            finally:
                code = server.stop()
            self.assertEqual(code, 0, "".join(server.log)[-3000:])

    def run_cancels(self, server):
        for seed in range(THREADS):  # so that what is made once, on first use, is made before counting
            self.leave_at_random(server, random.Random(seed), 4)
        time.sleep(3)  # closed connections linger that long
        before, descriptors_before = self.settle(server, 10**6)
        problems = []

        def work(seed):
            try:
                self.leave_at_random(server, random.Random(1000 + seed), COUNT // THREADS + 1)
            except Exception as problem:  # noqa: BLE001: told by the test's own thread
                problems.append(repr(problem))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])
        after, descriptors_after = self.settle(server, descriptors_before)
        self.assertEqual(after, before)
        self.assertLessEqual(descriptors_after, descriptors_before)
        status, data = server.ask("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3, "ignore_eos": True})
        self.assertEqual(status, 200, data)
        self.assertEqual(json.loads(data)["usage"]["completion_tokens"], 3)


if __name__ == "__main__":
    unittest.main()
