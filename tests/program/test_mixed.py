"""Everything at once: every API, clients that leave, models that come and go, configuration that changes, probes that watch.

Nothing may be answered by an error that is the server's fault. PENSIEVE_MIXED_SECONDS sets for how long (default 4); with the
build of the `tsan` preset, 300 or more looks for races (CONTRIBUTING.md).
"""
import json
import os
import random
import tempfile
import threading
import time
import unittest
from pathlib import Path

import tiny_model
import wire_clients
from test_serving import Server

SECONDS = float(os.environ.get("PENSIEVE_MIXED_SECONDS", "4"))
MODELS = ("first", "second")
# A model that was just unloaded, a full queue, an id in use: what clients are told to try again.
PASSING = {409, 429, 503}
WEATHER = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 8}, "degrees": {"type": "integer"}}, "required": ["city", "degrees"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}


def messages(dice):
    return [{"role": "user", "content": " ".join(dice.choice(["rain", "sun", "snow", "wind"]) for _ in range(dice.randrange(1, 20)))}]


def chat(dice):
    more = dice.choice([{}, {"logprobs": True, "top_logprobs": 3}, {"n": 2}, {"stop": ["e"]}, {"seed": 3, "temperature": 1.5}, {"tools": [TOOL], "tool_choice": "required"},
                        {"response_format": {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER}}}])
    return "/v1/chat/completions", {"messages": messages(dice), "max_tokens": dice.randrange(1, 60), "stream": dice.random() < 0.5, **more}


def completion(dice):
    return "/v1/completions", {"prompt": "once upon", "max_tokens": 20, "stream": dice.random() < 0.5, "ignore_eos": True}


def anthropic(dice):
    return "/v1/messages", {"messages": messages(dice), "max_tokens": 20, "stream": dice.random() < 0.5}


def response(dice):
    return "/v1/responses", {"input": "rain", "max_output_tokens": 20, "stream": dice.random() < 0.5, "store": dice.random() < 0.5}


def ollama(dice):
    return "/api/chat", {"messages": messages(dice), "options": {"num_predict": 20}, "stream": dice.random() < 0.5}


def tokens(dice):
    return "/tokenize", {"content": "rain and sun " * dice.randrange(1, 100)}


REQUESTS = (chat, chat, completion, anthropic, response, ollama, tokens)


class Mixed(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for seed, name in enumerate(MODELS):
            tiny_model.write(str(self.folder / f"{name}.gguf"), seed=seed, context=4096)
        self.config = self.folder / "pensieve.toml"
        self.configure(100000)
        self.problems, self.counts = [], {}
        self.over = threading.Event()

    def configure(self, bytes_of_body):
        # Renamed into place: a reader of half a file would rightly complain.
        scratch = self.folder / "next.toml"
        scratch.write_text(f"[server]\nmax_body_bytes = {bytes_of_body}\n")
        scratch.rename(self.config)

    def count(self, what, status, data, allowed):
        self.counts[what] = self.counts.get(what, 0) + 1
        if status not in allowed:
            self.problems.append(f"{what}: {status} {data[:300]!r}")

    def clients(self, dice):
        path, body = dice.choice(REQUESTS)(dice)
        status, data = self.server.ask("POST", path, {"model": dice.choice(MODELS), **body})
        self.count(path, status, data, {200, *PASSING})

    def leavers(self, dice):
        length, model = dice.choice((5, 60)), dice.choice(MODELS)
        kind = dice.randrange(3)
        if kind == 0:
            client = wire_clients.Http(self.server.address, dice.random() < 0.5, length, model)
        elif kind == 1:
            client = wire_clients.WebSocket(self.server.address, length, model)
        else:
            client = wire_clients.Grpc(self.server.grpc_address, length, model)
        if dice.random() < 0.5:
            client.receive()
        client.leave(politely=dice.random() < 0.5)
        self.counts["left"] = self.counts.get("left", 0) + 1

    def sessions(self, dice):
        model = dice.choice(MODELS)
        status, data = self.server.ask("POST", "/v1/sessions", {"model": model})
        self.count("/v1/sessions", status, data, {200, 201, *PASSING})
        session = json.loads(data).get("id")
        for _ in range(3):
            status, data = self.server.ask("POST", "/v1/chat/completions", {"session": session, "model": model, "messages": messages(dice), "max_tokens": 8})
            self.count("chat in a session", status, data, {200, *PASSING})
        status, data = self.server.ask("DELETE", f"/v1/sessions/{session}")
        self.count("end of a session", status, data, {200, 204})

    def operator(self, dice):
        act = dice.randrange(3)
        if act == 0:
            self.configure(dice.randrange(50000, 200000))
            time.sleep(0.1)
        else:
            path = "/models/unload" if act == 1 else "/models/load"
            status, data = self.server.ask("POST", path, {"model": dice.choice(MODELS)})
            self.count(path, status, data, {200, 202, *PASSING})
            time.sleep(0.3)

    def watchers(self, dice):
        path = dice.choice(("/metrics", "/livez", "/readyz", "/health", "/v1/models", "/openapi.json", "/api/ps", "/"))
        status, data = self.server.ask("GET", path)
        self.count(path, status, data, {200, 503})
        time.sleep(0.01)

    def repeat(self, act, seed):
        dice = random.Random(seed)
        while not self.over.is_set() and len(self.problems) < 20:
            try:
                act(dice)
            except Exception as problem:  # noqa: BLE001: told by the test's own thread
                self.problems.append(f"{act.__name__}: {problem!r}")

    def test_all_at_once(self):
        self.server = Server("--models-dir", str(self.folder), "--config", str(self.config), "--context", "4096", "--threads", "1")
        try:
            acts = [self.clients] * 6 + [self.leavers] * 2 + [self.sessions, self.operator, self.watchers]
            threads = [threading.Thread(target=self.repeat, args=(act, seed)) for seed, act in enumerate(acts)]
            for thread in threads:
                thread.start()
            self.over.wait(SECONDS)
            self.over.set()
            for thread in threads:
                thread.join()
        finally:
            code = self.server.stop()
        log = "".join(self.server.log)
        print(self.counts)
        self.assertFalse(self.problems, "\n".join([*self.problems, log[-2000:]]))
        self.assertEqual(code, 0, log[-3000:])
        self.assertNotIn("worker_crashed", log)
        for what in ("/v1/chat/completions", "left", "end of a session", "/metrics"):
            self.assertIn(what, self.counts)


if __name__ == "__main__":
    unittest.main()
