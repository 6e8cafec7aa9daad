"""Writes a tiny llama GGUF with random weights (seeded) and a byte-level tokenizer: a whole model in some 400 kB."""
import random
import struct

ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, content):
    if kind == STRING:
        return text(content)
    if kind == ARRAY:
        inner, items = content
        return struct.pack("<IQ", inner, len(items)) + b"".join(value(inner, item) for item in items)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], content)


def byte_alphabet():
    """The printable character that stands for each byte in byte-level BPE vocabularies."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, spare = {b: chr(b) for b in shown}, 256
    for b in range(256):
        if b not in table:
            table[b], spare = chr(spare), spare + 1
    return [table[b] for b in range(256)]


def contents(layers=2, width=64, heads=4, kv_heads=2, hidden=128, context=2048, seed=1):
    """Keys and tensors: (name, shape, bytes)."""
    dice = random.Random(seed)
    tokens = byte_alphabet() + ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    # Two merges, so that the vocabulary has tokens of several bytes.
    merges = ["a n", "an d"]
    tokens += ["an", "and"]
    kinds = [1] * 256 + [3, 3, 3, 1, 1]
    metadata = [
        ("general.architecture", STRING, "llama"), ("general.name", STRING, "Tiny"), ("general.alignment", U32, ALIGNMENT),
        ("llama.block_count", U32, layers), ("llama.context_length", U32, context), ("llama.embedding_length", U32, width),
        ("llama.feed_forward_length", U32, hidden), ("llama.attention.head_count", U32, heads),
        ("llama.attention.head_count_kv", U32, kv_heads), ("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        ("llama.rope.dimension_count", U32, width // heads), ("llama.rope.freq_base", F32, 10000.0),
        ("llama.vocab_size", U32, len(tokens)), ("tokenizer.ggml.model", STRING, "gpt2"), ("tokenizer.ggml.pre", STRING, "smollm"),
        ("tokenizer.ggml.tokens", ARRAY, (STRING, tokens)), ("tokenizer.ggml.token_type", ARRAY, (I32, kinds)),
        ("tokenizer.ggml.merges", ARRAY, (STRING, merges)), ("tokenizer.ggml.bos_token_id", U32, 257),
        ("tokenizer.ggml.eos_token_id", U32, 258), ("tokenizer.chat_template", STRING, TEMPLATE),
    ]
    kv_width = width // heads * kv_heads
    shapes = [("token_embd.weight", (len(tokens), width)), ("output_norm.weight", (width,))]
    for i in range(layers):
        shapes += [
            (f"blk.{i}.attn_norm.weight", (width,)), (f"blk.{i}.attn_q.weight", (width, width)), (f"blk.{i}.attn_k.weight", (kv_width, width)),
            (f"blk.{i}.attn_v.weight", (kv_width, width)), (f"blk.{i}.attn_output.weight", (width, width)), (f"blk.{i}.ffn_norm.weight", (width,)),
            (f"blk.{i}.ffn_gate.weight", (hidden, width)), (f"blk.{i}.ffn_up.weight", (hidden, width)), (f"blk.{i}.ffn_down.weight", (width, hidden)),
        ]
    tensors = []
    for name, shape in shapes:
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        spread = 0.0 if len(shape) == 1 else 3.0 / shape[1] ** 0.5
        tensors.append((name, shape, struct.pack(f"<{count}f", *(1.0 if len(shape) == 1 else dice.gauss(0, spread) for _ in range(count)))))
    return metadata, tensors


def write_file(path, metadata, tensors):
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, kind, content in metadata:
        head += text(key) + struct.pack("<I", kind) + value(kind, content)
    data = bytearray()
    for name, shape, values in tensors:
        data += b"\0" * (-len(data) % ALIGNMENT)
        head += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<Q", n) for n in reversed(shape))
        head += struct.pack("<IQ", 0, len(data))
        data += values
    head += b"\0" * (-len(head) % ALIGNMENT)
    with open(path, "wb") as out:
        out.write(head + data)
    return len(head)


def write(path, **shape):
    return write_file(path, *contents(**shape))


def write_parts(folder, stem, parts, **shape):
    """The same model cut into several files, as llama.cpp cuts them. Returns their paths."""
    metadata, tensors = contents(**shape)
    share = -(-len(tensors) // parts)
    paths = []
    for i in range(parts):
        keys = [("split.no", U32, i), ("split.count", U32, parts), ("split.tensors.count", I32, len(tensors))]
        paths.append(folder / f"{stem}-{i + 1:05}-of-{parts:05}.gguf")
        write_file(paths[-1], (metadata if i == 0 else []) + keys, tensors[i * share:(i + 1) * share])
    return paths


if __name__ == "__main__":
    import sys

    print(write(sys.argv[1]))
