"""Mutates SafeTensors files and compares the verdicts of this build with those of the PyPI package `safetensors`.

    compare.py VERDICTS [COUNT] [SEED]

VERDICTS is the program safetensors_verdicts of a build with tests. They may differ only where this build is stricter on
purpose, as safetensors.h says: what is no valid JSON to everyone (keys that stand twice), text before the first brace,
sizes beyond 2^63 - 1 (beside a 0, which makes the product small), more than 32 dimensions. Anything else, and whatever this build takes and the package
refuses, fails. Without the package it says so and compares nothing.
"""
import collections
import json
import random
import re
import struct
import subprocess
import sys

try:
    from safetensors import deserialize
except ImportError:
    print("not compared: the Python package `safetensors` is not installed (pip install safetensors)")
    sys.exit(0)

TYPES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2, "I32": 4, "U32": 4, "F32": 4, "C64": 8, "F64": 8, "I64": 8, "U64": 8}
WORDS = ["null", "true", "-1", "0", "1", "1e2", "1.0", "18446744073709551616", "9223372036854775808", "4294967296", '"F32"', '"F4"', '"F6_E2M3"', '"f32"', "[]", "{}", '""', "[0,0]", "[1,2,3]",
         '"dtype"', '"shape"', '"data_offsets"', '"__metadata__"', '"\\u0000"', '"\\ud800"', "\ufeff", " ", "\t", "\n", ",", ":", "]", "}"]


def sound(draw):
    """A file of a few tensors, as text of the header and bytes of the data."""
    entries, data = [], 0
    for i in range(draw.randint(0, 4)):
        kind = draw.choice(list(TYPES))
        shape = [draw.choice([0, 1, 2, 3, 5]) for _ in range(draw.randint(0, 3))]
        size = TYPES[kind]
        for n in shape:
            size *= n
        entries.append((f"t{i}", {"dtype": kind, "shape": shape, "data_offsets": [data, data + size]}))
        data += size
    if draw.random() < 0.3:
        entries.append(("__metadata__", draw.choice([{}, {"format": "pt"}, None, {"a": 1}, {"a": None}, [], "x"])))
    draw.shuffle(entries)
    separators = draw.choice([(",", ":"), (", ", ": ")])
    text = "{" + separators[0].join(json.dumps(k) + separators[1] + json.dumps(v, separators=separators) for k, v in entries) + "}"
    return text + " " * (-len(text) % 8 if draw.random() < 0.7 else draw.randint(0, 3)), bytes(draw.randrange(256) for _ in range(data))


def mutated(draw):
    text, data = sound(draw)
    length = None
    for _ in range(draw.choice([0, 1, 1, 1, 2, 3])):
        at = draw.randrange(len(text) + 1)
        change = draw.randrange(9)
        if change == 0:
            text = text[:at] + draw.choice(WORDS) + text[at:]
        elif change == 1:
            text = text[:at] + text[at + draw.randint(1, 4):]
        elif change == 2:  # a number becomes another
            numbers = list(re.finditer(r"\d+", text))
            if numbers:
                found = draw.choice(numbers)
                text = text[:found.start()] + str(draw.choice([0, 1, 2, 4, 7, 8, int(found[0]) + 1, 2 * int(found[0]), 2**31, 2**63, 2**64 - 1, 2**64])) + text[found.end():]
        elif change == 3:  # a word becomes another
            words = list(re.finditer(r'"[^"]*"|null|\d+', text))
            if words:
                found = draw.choice(words)
                text = text[:found.start()] + draw.choice(WORDS + [f'"{t}"' for t in TYPES]) + text[found.end():]
        elif change == 4:
            data = data[:draw.randrange(len(data) + 1)] if draw.random() < 0.5 else data + bytes(draw.randint(1, 9))
        elif change == 5:
            length = draw.choice([0, 1, 8, len(text) - 1, len(text) + 1, len(text) + len(data), 100_000_000, 100_000_001, 2**63, 2**64 - 1])
        elif change == 6:  # an entry twice
            entries = list(re.finditer(r'"t\d": ?\{[^}]*\}', text))
            if entries:
                found = draw.choice(entries)
                text = text[:found.end()] + "," + found[0] + text[found.end():]
        elif change == 7 and at < len(text):
            text = text[:at] + chr(draw.randrange(256)) + text[at + 1:]
        else:
            text = re.sub(r'"t(\d)"', lambda m: draw.choice([m[0], '"t0"', '"é"', '""']), text, count=1)
    narrow = all(ord(letter) < 256 for letter in text) and draw.random() < 0.05
    raw = text.encode("latin-1") if narrow else text.encode("utf-8")
    file = struct.pack("<Q", (len(raw) if length is None else length) & (2**64 - 1)) + raw + data
    if draw.random() < 0.05:
        file = file[:draw.randrange(len(file) + 1)]
    if draw.random() < 0.05 and file:
        at = draw.randrange(len(file))
        file = file[:at] + bytes([draw.randrange(256)]) + file[at + 1:]
    return file


def twice(pairs):
    names = [name for name, _ in pairs]
    if len(names) != len(set(names)):
        raise KeyError
    return dict(pairs)


def stricter(file, why):
    """Whether this build refuses on purpose what the package takes; which rule."""
    size = int.from_bytes(file[:8], "little")
    try:
        header = file[8:8 + size].decode("utf-8")
        json.loads(header, object_pairs_hook=twice)
    except KeyError:
        return "a key stands twice"
    except ValueError:
        return "no JSON to everyone"
    if "does not begin with" in why:
        return "text before the first brace"
    if any(int(number) >= 2**63 for number in re.findall(r"\d+", header)):
        return "a size beyond 2^63 - 1"
    if "dimensions" in why:
        return "more than 32 dimensions"
    return None


def main():
    program, count, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000, int(sys.argv[3]) if len(sys.argv) > 3 else 1
    draw = random.Random(seed)
    tally, wrong, done = collections.Counter(), 0, 0
    while done < count:
        files = [mutated(draw) for _ in range(min(5000, count - done))]
        answer = subprocess.run([program], input=b"".join(struct.pack("<Q", len(f)) + f for f in files), capture_output=True, check=True).stdout.decode("utf-8", "replace").split("\n")[:-1]
        assert len(answer) == len(files), f"{len(answer)} verdicts for {len(files)} files"
        for file, ours in zip(files, answer):
            try:
                deserialize(file)
                theirs = "sound"
            except Exception as problem:  # the package has errors of several kinds
                theirs = str(problem)
            if (ours == "sound") == (theirs == "sound"):
                tally["both take it" if ours == "sound" else "both refuse it"] += 1
                continue
            rule = stricter(file, ours) if theirs == "sound" else None
            tally[f"stricter: {rule}" if rule else "DIFFERENT"] += 1
            if not rule:
                wrong += 1
                if wrong <= 20:
                    print(f"different: ours {ours!r}, theirs {theirs!r}: {file!r}")
        done += len(files)
    print(f"{count} files: " + ", ".join(f"{name}: {n}" for name, n in sorted(tally.items())))
    sys.exit(1 if wrong else 0)


main()
