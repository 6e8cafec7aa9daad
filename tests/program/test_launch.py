"""`pensieve launch`: an agent (a script of that name on the PATH) is told of the running server, and what it is told works."""
import http.client
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import tiny_model
from test_serving import PROGRAM, Server

AGENT = """#!/bin/sh
env > "$OUT/environment"
printf '%s\\n' "$@" > "$OUT/arguments"
exit 7
"""


class Launch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name)
        tiny_model.write(str(cls.path / "tiny.gguf"))
        cls.server = Server(str(cls.path / "tiny.gguf"), "--context", "512", "--api-key", "sk-7")
        (cls.path / "bin").mkdir()
        for name in ("claude", "codex"):
            agent = cls.path / "bin" / name
            agent.write_text(AGENT)
            agent.chmod(0o755)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def launch(self, *arguments, port=None, key="sk-7", **more):
        environment = {**os.environ, "PATH": f"{self.path / 'bin'}:/usr/bin:/bin", "OUT": str(self.path), "ANTHROPIC_API_KEY": "elsewhere"}
        # the agent's own words stand behind --, so ours come before
        words = [PROGRAM, "launch", *arguments[:1], "--port", str(port or self.server.address[1]), "--api-key", key, *arguments[1:]]
        return subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **more)

    def told(self):
        lines = (self.path / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line), (self.path / "arguments").read_text().splitlines()

    def test_the_agent_takes_our_place_and_finds_the_server(self):
        done = self.launch("claude", "--", "-p", "two words", "--model", "own")
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertIn("512 tokens", done.stderr)  # tight for an agent
        environment, arguments = self.told()
        self.assertEqual(arguments, ["-p", "two words", "--model", "own"])
        self.assertEqual(environment["ANTHROPIC_MODEL"], "tiny")
        self.assertNotIn("ANTHROPIC_API_KEY", environment)
        host, port = environment["ANTHROPIC_BASE_URL"].removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=120)
        body = {"model": environment["ANTHROPIC_MODEL"], "max_tokens": 3, "messages": [{"role": "user", "content": "Hi"}]}
        connection.request("POST", "/v1/messages", json.dumps(body), {"authorization": f"Bearer {environment['ANTHROPIC_AUTH_TOKEN']}", "anthropic-version": "2023-06-01"})
        response = connection.getresponse()
        self.assertEqual((response.status, json.loads(response.read())["type"]), (200, "message"))
        connection.close()

    def test_arguments_come_before_the_users(self):
        self.assertEqual(self.launch("codex", "--model", "tiny", "--", "exec", "do it").returncode, 7)
        environment, arguments = self.told()
        self.assertEqual(arguments[-2:], ["exec", "do it"])
        self.assertIn('model_provider="pensieve"', arguments)
        self.assertEqual(environment["PENSIEVE_CLIENT_KEY"], "sk-7")

    def test_it_can_be_shown_instead(self):
        shown = json.loads(self.launch("opencode", "--json").stdout)
        self.assertEqual(shown["command"], ["opencode"])
        self.assertIn("OPENCODE_CONFIG_CONTENT", shown["environment"])
        shell = self.launch("claude", "--print").stdout
        done = subprocess.run(["/bin/sh", "-c", shell.replace("\nclaude\n", '\necho "$ANTHROPIC_MODEL|$ANTHROPIC_API_KEY"\n')],
                              env={"ANTHROPIC_API_KEY": "elsewhere"}, capture_output=True, text=True)
        self.assertEqual(done.stdout, "tiny|\n", done.stderr)

    def test_what_cannot_be_is_told(self):
        for code, what, arguments in ((1, "not installed", ["aider"]), (2, "emacs", ["emacs"]), (3, "nothing-like-it", ["claude", "--model", "nothing-like-it"])):
            done = self.launch(*arguments)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(what, done.stderr)
        self.assertEqual(self.launch("claude", port=1).returncode, 4)
        self.assertIn("API key", self.launch("claude", key="wrong").stderr)


if __name__ == "__main__":
    unittest.main()
