"""Weights in four bits, from AWQ and GPTQ folders and quantized while loading: the same numbers as what they stand for."""
import json
import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

import folders
import tiny_model

PROGRAM = os.environ["PENSIEVE_PROGRAM"]


class Quantized(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_program(self, *arguments, **kw):
        return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120, **kw)

    def logits(self, model, *arguments, backend="reference"):
        out = self.folder / "logits.f32"
        asked = json.dumps({"ids": [104, 101, 108, 108, 111, 32, 116, 104, 101, 114, 101], "output": str(out)})
        done = self.run_program("eval", "--model", model, "--backend", backend, "--threads", 2, *arguments, input=asked + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        data = out.read_bytes()
        return struct.unpack(f"<{len(data) // 4}f", data)

    def assert_close(self, found, expected, tolerance):
        largest = max(map(abs, expected))
        self.assertGreater(largest, 0.1)
        self.assertLess(max(abs(a - b) for a, b in zip(found, expected)), tolerance * largest)

    def test_four_bit_folders_are_the_model_that_they_stand_for(self):
        for symmetric, shuffled in ((False, False), (True, False), (False, True)):
            model = folders.FourBitLlama(symmetric, shuffled)
            name = f"{symmetric}-{shuffled}"
            model.write(self.folder / f"plain-{name}")
            expected = self.logits(self.folder / f"plain-{name}")
            for method in ("awq", "gptq"):
                if method == "awq" and shuffled:
                    continue
                model.write(self.folder / f"{method}-{name}", {"quant_method": method})
                with self.subTest(method=method, symmetric=symmetric, shuffled=shuffled):
                    self.assert_close(self.logits(self.folder / f"{method}-{name}"), expected, 1e-5 if symmetric else 2e-3)
                    self.assert_close(self.logits(self.folder / f"{method}-{name}", backend="cpu"), expected, 3e-2)

    def test_another_packing_is_refused_by_name(self):
        for config, word in (({"quant_method": "gptq", "bits": 8}, "8 bits"), ({"quant_method": "awq", "version": "gemv"}, "gemv"), ({"quant_method": "hqq"}, "hqq")):
            folder = self.folder / word.replace(" ", "")
            folders.FourBitLlama().write(folder, config)
            done = self.run_program("eval", "--model", folder, input="")
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertIn(word, done.stderr)

    def test_quantizing_while_loading_is_quantizing_before(self):
        plain = self.folder / "plain.gguf"
        tiny_model.write(plain, width=256, hidden=256, layers=1)
        folders.FourBitLlama().write(self.folder / "folder")
        for model in (plain, self.folder / "folder"):
            for kind in ("q8_0", "q4_0", "q4_k"):
                before = self.folder / f"{model.stem}-{kind}.gguf"
                done = self.run_program("quantize", model, before, kind)
                self.assertEqual(done.returncode, 0, done.stderr)
                with self.subTest(model=model.name, kind=kind):
                    self.assertEqual(self.logits(model, "--quantize", kind), self.logits(before))
                    self.assertEqual(self.logits(model, "--quantize", kind, backend="cpu"), self.logits(before, backend="cpu"))

    def test_the_estimate_is_that_of_the_smaller_weights(self):
        plain = self.folder / "plain.gguf"
        tiny_model.write(plain, width=256, hidden=256)
        need = lambda *arguments: json.loads(self.run_program("show", plain, "--json", *arguments).stdout)["memory"]["weights"]
        self.assertLess(need("--quantize", "q4_0"), 0.4 * need())
        done = self.run_program("run", plain, "a", "--raw", "--max-tokens", "2", "--quantize", "q4_0", stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.run_program("run", plain, "a", "--quantize", "q9_9", stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 2, done.stderr)


if __name__ == "__main__":
    unittest.main()
