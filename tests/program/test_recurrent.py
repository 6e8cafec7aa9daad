"""Models with recurrent state: the numbers of tests/data/models, whole and in pieces."""
import json
import os
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ["PENSIEVE_PROGRAM"]
MODELS = Path(__file__).resolve().parent.parent / "data" / "models"
FAMILIES = ["lfm2", "mamba2", "falcon-h1", "qwen3next", "qwen35", "qwen35moe"]


class Recurrent(unittest.TestCase):
    def logits(self, family, ids, *more):
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "logits.f32"
            line = json.dumps({"ids": ids, "output": str(output)}).encode() + b"\n"
            done = subprocess.run([PROGRAM, "eval", "--model", str(MODELS / family), *more], input=line, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr.decode())
            data = output.read_bytes()
        return struct.unpack(f"<{len(data) // 4}f", data)

    def test_logits_are_those_of_the_original(self):
        for family in FAMILIES:
            expected = json.loads((MODELS / family / "expected.json").read_text())
            wanted = expected["logits"]
            largest = max(map(abs, wanted))
            for backend, limit in (("reference", 1e-4), ("cpu", 1e-2)):  # bf16 weights meet bf16 products on cpu
                with self.subTest(family=family, backend=backend):
                    got = self.logits(family, expected["ids"], "--backend", backend)
                    self.assertEqual(len(got), len(wanted))
                    self.assertLess(max(abs(a - b) for a, b in zip(got, wanted)), limit * largest)

    def test_pieces_of_a_prompt_change_nothing(self):
        for family in FAMILIES:
            ids = json.loads((MODELS / family / "expected.json").read_text())["ids"]
            for backend in ("reference", "cpu"):
                whole = self.logits(family, ids, "--backend", backend)
                for batch in ("1", "7"):
                    with self.subTest(family=family, backend=backend, batch=batch):
                        self.assertEqual(self.logits(family, ids, "--backend", backend, "--batch", batch), whole)


if __name__ == "__main__":
    unittest.main()
