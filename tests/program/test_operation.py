"""The server as its operator meets it: reload, drain, load and unload, refusal of public addresses without a key."""
import http.client
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import tiny_model
from test_serving import PROGRAM, Server


def eventually(holds, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.model = str(Path(self.folder.name) / "tiny.gguf")
        tiny_model.write(self.model)

    def serve(self, *arguments):
        server = Server(self.model, "--context", "512", *arguments)
        self.addCleanup(lambda: server.process.poll() is None and server.stop())
        return server

    def config(self, text, name="pensieve.toml"):
        path = Path(self.folder.name) / name
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, path)
        return str(path)


class Stream:
    """A long streamed answer, read on a thread of its own."""

    def __init__(self, server):
        self.begun = threading.Event()
        self.data = b""
        self.thread = threading.Thread(target=self.read, args=(server,))
        self.thread.start()

    def read(self, server):
        connection = http.client.HTTPConnection(*server.address, timeout=120)
        body = {"messages": [{"role": "user", "content": "go on"}], "max_tokens": 300, "ignore_eos": True, "stream": True}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        while piece := response.read1(4096):
            self.data += piece
            self.begun.set()
        connection.close()


class Drain(Folder):
    def test_running_streams_finish_new_work_is_refused_and_the_code_is_0(self):
        server = self.serve()
        streams = [Stream(server) for _ in range(8)]
        for stream in streams:
            self.assertTrue(stream.begun.wait(60))
        server.process.send_signal(signal.SIGTERM)
        refused = set()
        while any(stream.thread.is_alive() for stream in streams):
            try:
                status, data = server.ask("POST", "/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1})
                if status != 200:
                    refused.add((status, json.loads(data)["error"]["code"]))
                    self.assertEqual(server.ask("GET", "/livez")[0], 200)
                    self.assertEqual(server.ask("GET", "/readyz")[0], 503)
            except OSError:
                break
            except http.client.HTTPException:
                break
        for stream in streams:
            stream.thread.join()
            self.assertTrue(stream.data.endswith(b"data: [DONE]\n\n"), stream.data[-300:])
        self.assertLessEqual(refused, {(503, "server_stops")})
        self.assertEqual(server.process.wait(30), 0)

    def test_a_second_signal_ends_at_once(self):
        server = self.serve()
        connection = http.client.HTTPConnection(*server.address, timeout=60)
        connection.putrequest("POST", "/v1/chat/completions")  # a request that is never complete keeps the drain waiting
        connection.putheader("content-length", "10")
        connection.endheaders()
        self.assertTrue(eventually(lambda: server.ask("GET", "/livez")[0] == 200))
        server.process.send_signal(signal.SIGTERM)
        self.assertTrue(eventually(lambda: any("stopping" in line for line in server.log)))
        server.process.send_signal(signal.SIGTERM)
        self.assertEqual(server.process.wait(20), 130)
        connection.close()


class Reload(Folder):
    def events(self, server, word):
        return [line for line in server.log if word in line]

    def reloaded(self, server, config_text, word, name="pensieve.toml"):
        before = len(self.events(server, word))
        self.config(config_text, name)
        self.assertTrue(eventually(lambda: len(self.events(server, word)) > before), f"no {word} in {server.log[-5:]}")
        return self.events(server, word)[-1]

    def test_live_options_change_others_wait_and_bad_files_change_nothing(self):
        for name, text in (("pensieve.toml", "[server]\nmax_body_bytes = {}\n{}"), ("pensieve.yaml", "server:\n  max_body_bytes: {}\n{}")):
            more = "port = 1\n" if name.endswith("toml") else "  port: 1\n"
            bad = "max_bodi_bytes = 1\n" if name.endswith("toml") else "  max_bodi_bytes: 1\n"
            server = self.serve("--config", self.config(text.format(2000, ""), name))
            large = {"messages": [{"role": "user", "content": "x" * 3000}], "max_tokens": 1}
            self.assertEqual(server.ask("POST", "/v1/chat/completions", large)[0], 413)
            line = self.reloaded(server, text.format(100000, ""), "config_reloaded", name)
            self.assertIn("server.max_body_bytes", line)
            self.assertNotEqual(server.ask("POST", "/v1/chat/completions", large)[0], 413)
            line = self.reloaded(server, text.format(2000, bad), "config_reload_failed", name)
            self.assertIn(f"{name}:3", line)
            self.assertNotEqual(server.ask("POST", "/v1/chat/completions", large)[0], 413, "the old limit stays in force")
            line = self.reloaded(server, text.format(2000, more), "config_reloaded", name)
            self.assertEqual(server.ask("POST", "/v1/chat/completions", large)[0], 413)
            metrics = server.ask("GET", "/metrics")[1].decode()
            self.assertIn('pensieve_config_reloads_total{result="failure"} 1', metrics)
            self.assertIn('pensieve_config_reloads_total{result="success"} 2', metrics)
            self.assertEqual(server.stop(), 0)

    def test_sighup_reloads_without_touching_running_requests(self):
        server = self.serve("--config", self.config("[log]\nlevel = 'info'\n"))
        stream = Stream(server)
        self.assertTrue(stream.begun.wait(60))
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(eventually(lambda: self.events(server, "SIGHUP")))
        stream.thread.join()
        self.assertTrue(stream.data.endswith(b"data: [DONE]\n\n"))


class Residence(Folder):
    def run_verb(self, server, *words):
        done = subprocess.run([PROGRAM, *words, "--host", server.address[0], "--port", str(server.address[1])], capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout, done.stderr

    def test_unload_load_and_ps(self):
        server = self.serve()
        self.assertTrue(eventually(lambda: server.ask("GET", "/readyz")[0] == 200))
        code, out, err = self.run_verb(server, "ps", "--json")
        self.assertEqual(code, 0, err)
        shown = json.loads(out)["models"]
        self.assertEqual([(m["name"], m["state"]) for m in shown], [("tiny", "loaded")])
        self.assertGreater(shown[0]["memory_bytes"], 0)
        self.assertEqual(self.run_verb(server, "unload", "tiny")[:2], (0, "tiny: unloaded\n"))
        self.assertEqual(json.loads(self.run_verb(server, "ps", "--json")[1])["models"], [])
        self.assertEqual(self.run_verb(server, "load", "tiny")[:2], (0, "tiny: loaded\n"))
        code, _, err = self.run_verb(server, "load", "tiyn")
        self.assertEqual(code, 1)
        self.assertIn("nearest: tiny", err)


class Refusals(unittest.TestCase):
    def test_a_public_address_needs_a_key(self):
        done = subprocess.run([PROGRAM, "serve", "--host", "0.0.0.0", "--port", "0"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3)
        self.assertNotIn("listening", done.stdout)
        self.assertIn("--api-key", done.stderr)
        done = subprocess.run([PROGRAM, "config", "check", "--host", "0.0.0.0"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3)
        self.assertIn("--api-key", done.stderr)

    def test_without_a_server_the_code_is_4(self):
        done = subprocess.run([PROGRAM, "ps", "--port", "1"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 4)


if __name__ == "__main__":
    unittest.main()
