"""The program as a user meets it: it serves, parallel answers equal solo answers, bad requests and files are told, it stops on SIGTERM."""
import http.client
import json
import os
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


class Server:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "serve", *arguments, "--port", "0", "--grpc-port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.match(r"listening http=http://([\d.]+):(\d+) grpc=([\d.]+):(\d+)", line)
        if not match:
            self.process.kill()
            raise AssertionError(f"no listening line, but {line!r}; {self.process.stderr.read()[-2000:]}")
        self.address, self.grpc_address = (match[1], int(match[2])), (match[3], int(match[4]))
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(*self.address, timeout=120)
        connection.request(method, path, None if body is None else json.dumps(body), {"content-type": "application/json", "accept": "text/html, */*"})
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response.status, data

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()
        return code


def streamed_text(data):
    text = ""
    for line in data.decode().splitlines():
        if line.startswith("data: {"):
            for choice in json.loads(line[6:])["choices"]:
                text += choice["delta"].get("content") or ""
    return text


class Serving(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = str(Path(cls.folder.name) / "tiny.gguf")
        tiny_model.write(cls.path)
        cls.server = Server(cls.path, "--context", "512")

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        cls.folder.cleanup()
        assert code == 0, f"SIGTERM ended the server with {code}: {''.join(cls.server.log)[-3000:]}"

    def chat(self, prompt, **more):
        body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0, "max_tokens": 24, **more}
        return self.server.ask("POST", "/v1/chat/completions", body)

    def test_sixteen_parallel_streams_equal_their_solo_answers(self):
        prompts = [f"{'and then ' * (i * 3)}question {i}" for i in range(16)]
        solo = []
        for prompt in prompts:
            status, data = self.chat(prompt)
            self.assertEqual(status, 200, data)
            solo.append(json.loads(data)["choices"][0]["message"]["content"])
        together = [None] * 16

        def ask(i):
            together[i] = streamed_text(self.chat(prompts[i], stream=True)[1])

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(together, solo)

    def test_name_is_the_file_name_without_suffix(self):
        status, data = self.server.ask("GET", "/v1/models")
        self.assertEqual(status, 200)
        self.assertEqual([m["id"] for m in json.loads(data)["data"]], ["tiny"])

    def test_too_long_a_prompt_is_refused_with_numbers(self):
        status, data = self.chat("word " * 2000)
        error = json.loads(data)["error"]
        self.assertEqual((status, error["code"]), (400, "context_length_exceeded"), error)
        self.assertEqual(error["n_ctx"], 512)
        self.assertGreater(error["n_prompt_tokens"], 512)

    def test_page_health_and_unknown_path(self):
        status, page = self.server.ask("GET", "/")
        self.assertEqual(status, 200)
        self.assertIn(b"<title>", page)
        self.assertEqual(self.server.ask("GET", "/livez")[0], 200)
        self.assertEqual(self.server.ask("GET", "/nothing")[0], 404)
        self.assertEqual(self.server.ask("DELETE", "/v1/chat/completions")[0], 405)

    def test_control_tokens_in_user_text_stay_text(self):
        """Text that spells a control token must cost more tokens than the control token itself."""
        plain = json.loads(self.chat("x")[1])["usage"]["prompt_tokens"]
        spelled = json.loads(self.chat("x<|im_end|>")[1])["usage"]["prompt_tokens"]
        self.assertEqual(spelled - plain, len("<|im_end|>"))


class Logs(unittest.TestCase):
    """What the log says of a request can be found by its x-request-id, down to the engine and back."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        path = str(Path(self.folder.name) / "tiny.gguf")
        tiny_model.write(path)
        self.server = Server(path, "--context", "512", "--log-format", "json")

    def tearDown(self):
        self.server.stop()
        self.folder.cleanup()

    def lines_about(self, request_id, event):
        for _ in range(600):
            for line in [json.loads(line) for line in self.server.log]:
                if line.get("id") == request_id and line["event"] == event:
                    return line
            time.sleep(0.1)
        self.fail(f"no {event} about {request_id} in {''.join(self.server.log)[-3000:]}")

    def test_work_for_a_client_that_left_is_logged_as_it_was(self):
        body = {"messages": [{"role": "user", "content": "hello"}], "n": 4, "max_tokens": 400, "ignore_eos": True, "stream": True}
        connection = http.client.HTTPConnection(*self.server.address, timeout=120)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json", "x-request-id": "left"})
        response = connection.getresponse()
        for _ in range(40):  # chunks with text among them
            response.readline()
        response.close()
        connection.close()
        finished = self.lines_about("left", "generation_finished")
        self.assertIn(finished["reason"], ("cancelled", "length"))
        self.assertEqual(finished["model"], "tiny")
        self.assertGreater(finished["prompt_tokens"], 5)
        self.assertGreater(self.lines_about("left", "request")["tokens"], finished["prompt_tokens"])

    def test_a_refusal_is_logged_with_its_reason(self):
        body = {"messages": [{"role": "user", "content": "word " * 2000}]}
        connection = http.client.HTTPConnection(*self.server.address, timeout=120)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json", "x-request-id": "long"})
        self.assertEqual(connection.getresponse().status, 400)
        connection.close()
        self.assertEqual(self.lines_about("long", "generation_failed")["reason"], "context_length_exceeded")


class RefusedStart(unittest.TestCase):
    def test_an_empty_key_or_host_does_not_open_the_server(self):
        for flag in ("--api-key", "--host"):
            done = subprocess.run([PROGRAM, "serve", flag, "", "--port", "0"], capture_output=True, text=True, timeout=60)
            self.assertNotEqual(done.returncode, 0, flag)
            self.assertNotIn("listening", done.stdout)
            self.assertIn("is empty", done.stderr)


class DamagedModel(unittest.TestCase):
    def test_a_damaged_file_on_the_command_line_ends_with_code_3(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bad.gguf"
            path.write_bytes(b"GGUF" + b"\xff" * 200)
            done = subprocess.run([PROGRAM, "serve", str(path), "--port", "0"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn("bad.gguf", done.stderr)


if __name__ == "__main__":
    unittest.main()
