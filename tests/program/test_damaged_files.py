"""A truncated or bit-flipped model file is refused with exit code 3 and a reason, or loads: never a crash, hang or giant allocation."""
import os
import random
import resource
import subprocess
import tempfile
import unittest
from pathlib import Path

import tiny_model

PROGRAM = os.environ["PENSIEVE_PROGRAM"]
LINE = b'{"ids":[72,105],"output":"","all":false,"greedy":1,"pool":false}\n'


def evaluate(path):
    return subprocess.run([PROGRAM, "eval", "--model", path, "--threads", "1"], input=LINE, capture_output=True, timeout=60)


class DamagedFiles(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = str(Path(self.folder.name) / "tiny.gguf")
        self.head = tiny_model.write(self.path, layers=1, width=32, hidden=32)
        self.whole = Path(self.path).read_bytes()

    def tearDown(self):
        self.folder.cleanup()

    def refused(self, data, what):
        Path(self.path).write_bytes(data)
        done = evaluate(self.path)
        self.assertIn(done.returncode, (0, 3), f"{what}: exit {done.returncode}: {done.stderr[-600:]!r}")
        if done.returncode == 3:
            self.assertGreater(len(done.stderr.strip()), 20, f"{what}: no reason given")
        return done.returncode == 3

    def test_whole_file_loads(self):
        done = evaluate(self.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b'"argmax"', done.stdout)

    def test_truncations(self):
        dice = random.Random(3)
        cuts = [0, 3, 4, 7, 8, 15, 23, 24, self.head - 1, self.head, len(self.whole) - 1]
        cuts += [dice.randrange(self.head) for _ in range(40)] + [dice.randrange(self.head, len(self.whole)) for _ in range(9)]
        for cut in cuts:
            self.assertTrue(self.refused(self.whole[:cut], f"cut at {cut}"), f"a file cut at {cut} was loaded")

    def test_bit_flips_in_the_head(self):
        dice = random.Random(4)
        refused = 0
        for _ in range(150):
            data = bytearray(self.whole)
            at, bit = dice.randrange(self.head), dice.randrange(8)
            data[at] ^= 1 << bit
            refused += self.refused(bytes(data), f"bit {bit} of byte {at} flipped")
        self.assertGreater(refused, 10, "hardly any damaged head was noticed")

    def test_peak_memory_of_a_lying_file(self):
        data = bytearray(self.whole)
        data[8:16] = (2**60).to_bytes(8, "little")
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertTrue(self.refused(bytes(data), "2^60 tensors"))
        after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        self.assertLess(after - before, 512 * 1024, "a file of some 100 kB made the program take half a gigabyte")


if __name__ == "__main__":
    unittest.main()
