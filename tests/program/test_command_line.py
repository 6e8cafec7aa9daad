"""What the verbs answer to mistakes: output that cannot be written, values that are none, files and directories that are not there."""
import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import tiny_model

PROGRAM = os.environ["PENSIEVE_PROGRAM"]


def run(*arguments, given=b"", **more):
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([PROGRAM, *arguments], input=given, stderr=subprocess.PIPE, timeout=120, **more)


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = str(Path(cls.folder.name) / "tiny.gguf")
        tiny_model.write(cls.path)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def refused(self, code, what, *arguments, **more):
        done = run(*arguments, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(what, done.stderr.decode())

    def test_a_full_disk_is_no_success(self):
        line = b'{"text":"hello"}\n'
        for arguments, given in ((["--help"], b""), (["list"], b""), (["config", "schema"], b""),
                                 (["show", self.path, "--json", "--full"], b""), (["tokenize", "--model", self.path], line)):
            with self.subTest(arguments), open("/dev/full", "wb") as full:
                self.refused(1, "cannot write", *arguments, given=given, stdout=full)

    def test_values_that_are_none(self):
        self.refused(2, "--temperature", "run", self.path, "hi", "--temperature", "nan")
        self.refused(2, "not UTF-8", "run", self.path, given=b"caf\xe9")
        self.refused(2, "--time", "template", "--model", self.path, "--time", "garbage")
        self.refused(2, "multiple of 16", "serve", self.path, "--page-tokens", "40")
        self.refused(2, "'--bogus' was not expected", "--bogus")

    def test_a_line_with_two_texts_is_an_error_line(self):
        done = run("tokenize", "--model", self.path, given=b'{"text":"a","hex":"62"}\n{"text":"a"}\n')
        first, second = map(json.loads, done.stdout.splitlines())
        self.assertIn("both", first["error"])
        self.assertEqual(len(second["ids"]), 1)
        self.assertEqual(done.returncode, 0)

    def test_directories_named_are_searched_alone_and_must_be_there(self):
        done = run("list", "--models-dir", self.folder.name, "--json")
        self.assertEqual([model["path"] for model in json.loads(done.stdout)["models"]], [self.path])
        self.refused(3, "no directory '/nonexistent'", "list", "--models-dir", "/nonexistent")

    def test_help_names_the_default_of_the_verb(self):
        self.assertIn(b"default 'f32'", run("eval", "--help").stdout)

    def test_hosts_are_checked_with_the_configuration(self):
        if b"serve" not in run("--help").stdout:
            self.skipTest("a build without the server has no host to check")
        self.refused(3, "API key", "config", "check", "--host", "0.0.0.0")
        self.refused(3, "API key", "serve", "--host", "0.0.0.0", "--port", "0")
        self.assertEqual(run("config", "check", "--host", "0.0.0.0", "--api-key", "k").returncode, 0)
        self.refused(1, "no address of this machine", "serve", "--host", "192.0.2.1", "--api-key", "k", "--port", "0")


if __name__ == "__main__":
    unittest.main()
