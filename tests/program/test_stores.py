"""Models of other programs, found where those keep them and used by name: `list`, `run`, `/v1/models`; and split models."""
import hashlib
import json
import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

import folders
import tiny_model
from test_serving import PROGRAM, Server


class Stores(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        home = cls.home = Path(cls.folder.name)
        own = home / ".pensieve" / "models"
        own.mkdir(parents=True)
        cls.parted = tiny_model.write_parts(own, "parted", 3)
        hub = home / ".cache" / "huggingface" / "hub" / "models--acme--judge"
        folders.CrossEncoder().write(hub / "snapshots" / "c0ffee")
        (hub / "refs").mkdir()
        (hub / "refs" / "main").write_text("c0ffee")
        studio = home / ".lmstudio" / "models" / "acme" / "talker"
        studio.mkdir(parents=True)
        tiny_model.write(studio / "talker-8m-q8.gguf", seed=2)
        ollama = home / ".ollama" / "models"
        (ollama / "blobs").mkdir(parents=True)
        tiny_model.write(ollama / "blob", seed=3)
        digest = hashlib.sha256((ollama / "blob").read_bytes()).hexdigest()
        (ollama / "blob").rename(ollama / "blobs" / f"sha256-{digest}")
        manifest = ollama / "manifests" / "registry.ollama.ai" / "library" / "small" / "1b"
        manifest.parent.mkdir(parents=True)
        manifest.write_text(json.dumps({"schemaVersion": 2, "layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}"}]}))
        kept = {key: value for key, value in os.environ.items() if key not in ("HF_HOME", "HF_HUB_CACHE", "OLLAMA_MODELS")}
        cls.environment = mock.patch.dict(os.environ, {**kept, "HOME": str(home)}, clear=True)
        cls.environment.start()

    @classmethod
    def tearDownClass(cls):
        cls.environment.stop()
        cls.folder.cleanup()

    def run_program(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)

    def test_list_names_them_all(self):
        listed = json.loads(self.run_program("list", "--json").stdout)["models"]
        names = {name for model in listed for name in (model["name"], *model["aliases"])}
        self.assertEqual(len(listed), 4, listed)
        self.assertLessEqual({"parted", "acme/judge", "small:1b", "talker-8m-q8"}, names)
        self.assertFalse([model for model in listed if "problem" in model])

    def test_each_runs_by_name(self):
        for name in ("parted", "small:1b", "talker-8m-q8"):
            done = self.run_program("run", name, "a", "--raw", "--max-tokens", "3", "--temperature", "0", "--backend", "reference")
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_server_offers_and_serves_them(self):
        server = Server("--backend", "reference")
        try:
            models = []
            for _ in range(200):  # directories are read after the port is open
                models = models or json.loads(server.ask("GET", "/v1/models")[1])["data"]
                time.sleep(0 if models else 0.05)
            self.assertEqual(len(models), 4, models)
            for name in ("parted", "small:1b", "talker-8m-q8"):
                status, data = server.ask("POST", "/v1/completions", {"model": name, "prompt": "a", "max_tokens": 2})
                self.assertEqual(status, 200, data)
            status, data = server.ask("POST", "/v1/rerank", {"model": "acme/judge", "query": "what", "documents": ["paris"]})
            self.assertEqual(status, 200, data)
        finally:
            server.stop()

    def test_a_missing_part_is_named(self):
        last = self.parted[-1]
        away = last.with_suffix(".away")
        last.rename(away)
        try:
            done = self.run_program("run", "parted", "a", "--raw", "--max-tokens", "1")
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn("parted-00003-of-00003.gguf", done.stderr)
        finally:
            away.rename(last)


if __name__ == "__main__":
    unittest.main()
