"""Models in processes of their own: one may be killed at any moment and only its own clients notice; nothing is left behind.

PENSIEVE_KILLS=50 kills that often instead of a few times, and also checks that each error came within a second.
"""
import http.client
import json
import os
import random
import re
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import tiny_model

PROGRAM = os.environ["PENSIEVE_PROGRAM"]
KILLS = int(os.environ.get("PENSIEVE_KILLS", "0"))
FAULTS = {"worker_crashed", "worker_stalled", "worker_restarting"}


def children(pid):
    """Process ids and command lines of a process's children, by any of its threads."""
    found = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in task.read_text().split():
                found[int(child)] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            pass  # ended meanwhile
    return found


def exists(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for(what, seconds=30):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if value := what():
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain")


class Server:
    def __init__(self, folder, *arguments):
        self.log_path = Path(folder) / f"log-{time.monotonic_ns()}"
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([PROGRAM, "serve", *arguments, "--port", "0", "--grpc-port", "0", "--log-format", "json"],
                                            stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        match = re.match(r"listening http=http://([\d.]+):(\d+)", line)
        if not match:
            self.process.kill()
            raise AssertionError(f"no listening line, but {line!r}; {self.log_path.read_text()[-2000:]}")
        self.address = match[1], int(match[2])

    def post(self, path, body, headers=None):
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        try:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json", **(headers or {})})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def chat(self, model, tokens=8, stream=False, headers=None):
        """Status, and the error of the answer: None for a whole one."""
        body = {"model": model, "messages": [{"role": "user", "content": "go on"}], "max_tokens": tokens, "stream": stream, "ignore_eos": True}
        status, data = self.post("/v1/chat/completions", body, headers)
        if not stream or status != 200:
            return status, None if status == 200 else json.loads(data)["error"]
        for line in data.decode().splitlines():
            if line.startswith("data: {") and '"error"' in line:
                return status, json.loads(line[6:])["error"]
        return status, None if b"[DONE]" in data else {"message": "no end", "code": "cut"}

    def crashes(self, model):
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return float(re.search(rf'^pensieve_worker_crashes_total{{model="{model}"}} (\S+)$', text, re.M)[1])

    def workers(self):
        return {name.rsplit("model=", 1)[1]: pid for pid, name in children(self.process.pid).items() if "model=" in name}

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def log(self):
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process.stdout.close()
        return code


class Client(threading.Thread):
    """Asks one model again and again; keeps what it got and when."""

    def __init__(self, server, model, over):
        super().__init__()
        self.server, self.model, self.over, self.results = server, model, over, []

    def run(self):
        while not self.over.is_set():
            try:
                status, error = self.server.chat(self.model, tokens=random.randrange(1, 1500), stream=True)
            except OSError as problem:
                status, error = 0, {"code": f"connection: {problem}"}
            self.results.append((time.monotonic(), status, error))
            if error:
                time.sleep(0.05)


class Workers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.paths = []
        for seed, name in enumerate(("first", "second")):
            self.paths.append(str(Path(self.folder.name) / f"{name}.gguf"))
            tiny_model.write(self.paths[-1], seed=seed)
        self.server = None

    def tearDown(self):
        if self.server and self.server.process.poll() is None:
            self.server.stop(signal.SIGKILL)
        self.folder.cleanup()

    def start(self, *arguments, models=2):
        self.server = Server(self.folder.name, *self.paths[:models], "--context", "2048", "--threads", "1", *arguments)
        for path in self.paths[:models]:
            self.assertEqual(self.server.chat(Path(path).stem), (200, None))
        return self.server

    def test_a_killed_model_takes_nobody_with_it(self):
        server = self.start()
        over = threading.Event()
        clients = [Client(server, name, over) for name in ("first", "second") for _ in range(3)]
        for client in clients:
            client.start()
        dice, victims, slowest, hit = random.Random(1), [], 0.0, 0
        for _ in range(KILLS or 6):
            time.sleep(dice.uniform(0.05, 0.4))
            name = dice.choice(("first", "second"))
            pid = wait_for(lambda: server.workers().get(name))
            os.kill(pid, signal.SIGKILL)
            killed = time.monotonic()
            victims.append((name, killed))
            wait_for(lambda: not exists(pid))
            # The next request to it works: the model comes back by itself.
            wait_for(lambda: server.chat(name) == (200, None))
        over.set()
        for client in clients:
            client.join()
        for client in clients:
            mine = [killed for name, killed in victims if name == client.model]
            for at, status, error in client.results:
                if not error:
                    continue
                self.assertIn(error.get("code"), FAULTS, f"{client.model}: {status} {error}")
                before = [killed for killed in mine if killed <= at]
                self.assertTrue(before, f"{client.model} failed before it was killed: {error}")
                slowest, hit = max(slowest, at - before[-1]), hit + 1
        for name in ("first", "second"):
            self.assertEqual(server.crashes(name), sum(1 for victim, _ in victims if victim == name))
            others = [result for client in clients if client.model == name for result in client.results]
            self.assertGreater(sum(1 for _, _, error in others if not error), 0)
        self.assertIsNone(server.process.poll(), "the server died")
        print(f"{len(victims)} kills, {hit} clients hit, the slowest told after {slowest * 1000:.0f} ms, "
              f"{sum(len(client.results) for client in clients)} requests")
        if KILLS:
            self.assertLess(slowest, 1.0)
        self.assertEqual(server.stop(), 0)

    def test_descriptors_and_threads_stay_constant_over_many_lives(self):
        server = self.start(models=1)

        def live_and_die():
            os.kill(wait_for(lambda: server.workers().get("first")), signal.SIGKILL)
            wait_for(lambda: server.chat("first") == (200, None))

        live_and_die()
        before = server.descriptors()
        for _ in range(KILLS or 5):
            live_and_die()
        wait_for(lambda: server.descriptors() <= before)
        self.assertEqual(len(server.workers()), 1)

    def test_no_process_is_left_behind(self):
        for number, code in ((signal.SIGTERM, 0), (signal.SIGKILL, -9)):
            server = self.start()
            pids = list(server.workers().values())
            self.assertEqual(len(pids), 2)
            self.assertEqual(server.stop(number), code)
            for pid in pids:
                wait_for(lambda: not exists(pid), 10)

    def test_signals_to_everybody_stop_the_server_but_not_a_model_before_it(self):
        server = self.start(models=1)
        pid = server.workers()["first"]
        self.assertNotEqual(os.getsid(pid), os.getsid(server.process.pid))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(pid, number)
        self.assertEqual(server.chat("first", tokens=50), (200, None))
        self.assertEqual(server.workers()["first"], pid)

    def test_a_frozen_model_is_ended_and_comes_back(self):
        server = self.start("--silence-timeout", "2", models=1)
        os.kill(server.workers()["first"], signal.SIGSTOP)
        status, error = server.chat("first")
        self.assertEqual((status, error["code"]), (503, "worker_stalled"), error)
        wait_for(lambda: server.chat("first") == (200, None))

    def test_log_lines_of_a_model_carry_the_id_of_the_request(self):
        server = self.start("--log-level", "debug", models=1)
        pid = server.workers()["first"]
        self.assertEqual(server.chat("first", headers={"x-request-id": "find-me"}), (200, None))
        line = wait_for(lambda: [line for line in server.log() if line["event"] == "generation_finished" and line["id"] == "find-me"])[0]
        self.assertEqual((line["worker"], line["completion_tokens"]), (pid, 8))
        self.assertTrue([line for line in server.log() if line["event"] == "model_loaded" and line["worker"] == pid])

    def test_a_model_that_cannot_be_loaded_says_why(self):
        server = self.start(models=1)
        Path(self.paths[0]).write_bytes(Path(self.paths[0]).read_bytes()[:-1000])
        os.kill(server.workers()["first"], signal.SIGKILL)
        wait_for(lambda: not server.workers())
        # Whoever asks before the server has noticed the death is told of that.
        error = wait_for(lambda: [error for _, error in [server.chat("first")] if error["code"] not in FAULTS])[0]
        self.assertGreater(len(error["message"]), 20)
        self.assertEqual(server.workers(), {})

    def test_isolation_can_be_switched_off(self):
        server = self.start("--isolation", "none", models=1)
        self.assertEqual(children(server.process.pid), {})

    def test_the_verb_is_not_for_people(self):
        done = subprocess.run([PROGRAM, "worker"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)
        self.assertIn("serve", done.stderr)


if __name__ == "__main__":
    unittest.main()
