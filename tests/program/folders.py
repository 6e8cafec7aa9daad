"""Writes small SafeTensors folders for tests, and runs a cross-encoder over plain lists: what a model of such a folder must answer."""
import json
import math
import random
import struct

import tiny_model


def write_safetensors(path, tensors):
    """tensors: name -> (type, shape, bytes)"""
    head, data = {}, b""
    for name, (kind, shape, raw) in tensors.items():
        head[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "what", "is", "the", "capital", "of", "france", "paris", "berlin", "it", "rains", "##s", "."]


class CrossEncoder:
    """A BERT with one class, its weights random but the same each time."""

    width, inner, layers, heads, positions = 32, 64, 2, 4, 64

    def __init__(self):
        draw = random.Random(5)
        self.tensors = {}

        def matrix(name, rows, columns, scale=0.3):
            self.tensors[name] = [[struct.unpack("<f", struct.pack("<f", draw.gauss(0, scale)))[0] for _ in range(columns)] for _ in range(rows)]

        def vector(name, size, middle=0.0):
            self.tensors[name] = [struct.unpack("<f", struct.pack("<f", middle + draw.gauss(0, 0.1)))[0] for _ in range(size)]

        width, inner = self.width, self.inner
        for table, rows in (("word", len(WORDS)), ("position", self.positions), ("token_type", 2)):
            matrix(f"bert.embeddings.{table}_embeddings.weight", rows, width, 1.0)
        norms = ["bert.embeddings.LayerNorm"]
        linears = [("bert.pooler.dense", width, width), ("classifier", 1, width)]
        for i in range(self.layers):
            layer = f"bert.encoder.layer.{i}."
            linears += [(f"{layer}attention.self.{part}", width, width) for part in ("query", "key", "value")]
            linears += [(layer + "attention.output.dense", width, width), (layer + "intermediate.dense", inner, width), (layer + "output.dense", width, inner)]
            norms += [layer + "attention.output.LayerNorm", layer + "output.LayerNorm"]
        for name, rows, columns in linears:
            matrix(name + ".weight", rows, columns)
            vector(name + ".bias", rows)
        for name in norms:
            vector(name + ".weight", width, 1.0)
            vector(name + ".bias", width)

    def write(self, folder):
        folder.mkdir(parents=True)
        config = {"architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_size": self.width, "num_hidden_layers": self.layers,
                  "num_attention_heads": self.heads, "intermediate_size": self.inner, "max_position_embeddings": self.positions, "vocab_size": len(WORDS),
                  "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}
        (folder / "config.json").write_text(json.dumps(config))
        special = lambda i: {"id": i, "content": WORDS[i], "special": True, "lstrip": False, "rstrip": False, "single_word": False, "normalized": False}
        tokenizer = {"version": "1.0", "added_tokens": [special(i) for i in range(4)],
                     "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
                     "pre_tokenizer": {"type": "BertPreTokenizer"},
                     "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
                     "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
                     "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                               "vocab": {word: i for i, word in enumerate(WORDS)}}}
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
        tensors = {}
        for name, value in self.tensors.items():
            shape = (len(value), len(value[0])) if isinstance(value[0], list) else (len(value),)
            flat = [x for row in value for x in row] if len(shape) == 2 else value
            tensors[name] = ("F32", shape, floats(flat))
        write_safetensors(folder / "model.safetensors", tensors)

    def score(self, first, second):
        """The class's logit for two lists of words of the vocabulary."""
        t = self.tensors
        ids = [2, *(WORDS.index(w) for w in first), 3, *(WORDS.index(w) for w in second), 3]
        kinds = [0] * (len(first) + 2) + [1] * (len(second) + 1)
        table = lambda name, i: t[f"bert.embeddings.{name}_embeddings.weight"][i]

        def norm(x, name):
            mean = sum(x) / len(x)
            spread = math.sqrt(sum((v - mean) ** 2 for v in x) / len(x) + 1e-12)
            return [(v - mean) / spread * w + b for v, w, b in zip(x, t[name + ".weight"], t[name + ".bias"])]

        def linear(x, name):
            return [sum(a * b for a, b in zip(row, x)) + bias for row, bias in zip(t[name + ".weight"], t[name + ".bias"])]

        def add(a, b):
            return [x + y for x, y in zip(a, b)]

        rows = [norm(add(add(table("word", token), table("position", i)), table("token_type", kind)), "bert.embeddings.LayerNorm")
                for i, (token, kind) in enumerate(zip(ids, kinds))]
        head = self.width // self.heads
        for i in range(self.layers):
            layer = f"bert.encoder.layer.{i}."
            q, k, v = ([linear(row, f"{layer}attention.self.{part}") for row in rows] for part in ("query", "key", "value"))
            seen = []
            for r in range(len(rows)):
                out = []
                for h in range(self.heads):
                    cut = slice(h * head, (h + 1) * head)
                    weights = [math.exp(sum(a * b for a, b in zip(q[r][cut], other[cut])) / math.sqrt(head)) for other in k]
                    out += [sum(w * other[c] for w, other in zip(weights, v)) / sum(weights) for c in range(cut.start, cut.stop)]
                seen.append(out)
            rows = [norm(add(row, linear(out, layer + "attention.output.dense")), layer + "attention.output.LayerNorm") for row, out in zip(rows, seen)]
            gelu = lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2)))
            rows = [norm(add(row, linear([gelu(x) for x in linear(row, layer + "intermediate.dense")], layer + "output.dense")), layer + "output.LayerNorm") for row in rows]
        return linear([math.tanh(x) for x in linear(rows[0], "bert.pooler.dense")], "classifier")[0]


def plain_tokenizer():
    """A token for each byte."""
    return {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
            "decoder": {"type": "ByteLevel"}, "post_processor": None,
            "model": {"type": "BPE", "vocab": {letter: i for i, letter in enumerate(tiny_model.byte_alphabet())}, "merges": []}}


class FourBitLlama:
    """A llama of one layer whose projections are four-bit numbers with zero points and scales, written as AWQ or GPTQ
    have them, or dequantized to F32: the three folders hold the same model."""

    width, inner, heads, kv_heads, group = 64, 128, 4, 2, 32

    def __init__(self, symmetric=False, shuffled=False):
        self.draw = random.Random(11)
        self.linears, self.others = {}, {}
        kv = self.width // self.heads * self.kv_heads
        shapes = {"self_attn.q_proj": (self.width, self.width), "self_attn.k_proj": (kv, self.width), "self_attn.v_proj": (kv, self.width),
                  "self_attn.o_proj": (self.width, self.width), "mlp.gate_proj": (self.inner, self.width), "mlp.up_proj": (self.inner, self.width),
                  "mlp.down_proj": (self.width, self.inner)}
        for name, (outputs, inputs) in shapes.items():
            count = inputs // self.group
            zeros = [[8 if symmetric else self.draw.randint(1, 15) for _ in range(outputs)] for _ in range(count)]
            scales = [[struct.unpack("<e", struct.pack("<e", self.draw.uniform(0.01, 0.05)))[0] for _ in range(outputs)] for _ in range(count)]
            groups = [self.draw.randrange(count) if shuffled else i // self.group for i in range(inputs)]
            numbers = [[self.draw.randrange(16) for _ in range(outputs)] for _ in range(inputs)]
            self.linears["model.layers.0." + name] = (numbers, zeros, scales, groups)
        gauss = lambda n, middle, spread: [self.draw.gauss(middle, spread) for _ in range(n)]
        self.others = {"model.embed_tokens.weight": ((256, self.width), gauss(256 * self.width, 0, 1)), "model.norm.weight": ((self.width,), gauss(self.width, 1, 0.1)),
                       "model.layers.0.input_layernorm.weight": ((self.width,), gauss(self.width, 1, 0.1)),
                       "model.layers.0.post_attention_layernorm.weight": ((self.width,), gauss(self.width, 1, 0.1))}

    def write(self, folder, quantization=None):
        folder.mkdir(parents=True)
        config = {"architectures": ["LlamaForCausalLM"], "hidden_size": self.width, "intermediate_size": self.inner, "num_hidden_layers": 1, "num_attention_heads": self.heads,
                  "num_key_value_heads": self.kv_heads, "vocab_size": 256, "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True}
        if quantization:
            config["quantization_config"] = {"bits": 4, "group_size": self.group, **quantization}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "tokenizer.json").write_text(json.dumps(plain_tokenizer()))
        tensors = {name: ("F32", shape, floats(values)) for name, (shape, values) in self.others.items()}
        method = quantization and quantization["quant_method"]
        for name, linear in self.linears.items():
            tensors.update(self.packed(name, linear, method) if method else self.plain(name, linear))
        write_safetensors(folder / "model.safetensors", tensors)

    @staticmethod
    def plain(name, linear):
        numbers, zeros, scales, groups = linear
        inputs, outputs = len(numbers), len(numbers[0])
        weights = [(numbers[i][o] - zeros[groups[i]][o]) * scales[groups[i]][o] for o in range(outputs) for i in range(inputs)]
        return {name + ".weight": ("F32", (outputs, inputs), floats(weights))}

    @staticmethod
    def packed(name, linear, method):
        numbers, zeros, scales, groups = linear
        inputs, outputs = len(numbers), len(numbers[0])
        order = (0, 2, 4, 6, 1, 3, 5, 7) if method == "awq" else range(8)  # the column that nibble i of a word holds
        across = lambda row: [sum(row[w * 8 + order[i]] << 4 * i for i in range(8)) for w in range(len(row) // 8)]
        if method == "awq":
            words, shape = [word for row in numbers for word in across(row)], (inputs, outputs // 8)
        else:
            words = [sum(numbers[r * 8 + i][o] << 4 * i for i in range(8)) for r in range(inputs // 8) for o in range(outputs)]
            shape = (inputs // 8, outputs)
        less = 0 if method == "awq" else 1
        zero_words = [word for row in zeros for word in across([z - less for z in row])]
        integers = lambda values: struct.pack(f"<{len(values)}I", *values)
        flat = [s for row in scales for s in row]
        tensors = {".qweight": ("I32", shape, integers(words)), ".qzeros": ("I32", (len(zeros), outputs // 8), integers(zero_words)),
                   ".scales": ("F16", (len(scales), outputs), struct.pack(f"<{len(flat)}e", *flat))}
        if method == "gptq":
            tensors[".g_idx"] = ("I32", (inputs,), integers(groups))
        return {name + end: tensor for end, tensor in tensors.items()}
