# SPDX-License-Identifier: MIT
"""Models written by make-gguf, read back by a reader written from the format's description alone."""

import math
import os
import struct

from harness import between, case, check, equal, main, near, one_line

SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
STRING, ARRAY = 8, 9
TYPES = {0: ("f32", 1, 4), 2: ("q4_0", 32, 18), 8: ("q8_0", 32, 34)}  # name, weights and bytes of a block


class Gguf:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        self.at = 0
        equal(self.bytes(4), b"GGUF", "magic")
        equal(self.scalar("<I"), 3, "version")
        n_tensors, n_kv = self.scalar("<Q"), self.scalar("<Q")
        self.kv = dict(self.key_value() for _ in range(n_kv))
        equal(len(self.kv), n_kv, "distinct keys")
        self.tensors = dict(self.tensor() for _ in range(n_tensors))
        self.start = -(-self.at // 32) * 32

    def bytes(self, n):
        self.at += n
        check(self.at <= len(self.data), "the file ends early")
        return self.data[self.at - n:self.at]

    def scalar(self, form):
        return struct.unpack(form, self.bytes(struct.calcsize(form)))[0]

    def string(self):
        return self.bytes(self.scalar("<Q"))

    def value(self, kind):
        if kind == STRING:
            return self.string().decode()
        if kind == ARRAY:
            inner = self.scalar("<I")
            return [self.value(inner) for _ in range(self.scalar("<Q"))]
        return self.scalar(SCALARS[kind])

    def key_value(self):
        key = self.string().decode()
        return key, self.value(self.scalar("<I"))

    def tensor(self):
        name = self.string().decode()
        dims = tuple(self.scalar("<Q") for _ in range(self.scalar("<I")))
        kind, offset = TYPES[self.scalar("<I")], self.scalar("<Q")
        return name, (dims, kind, offset)

    def size(self, name):
        dims, (_, block, size), _ = self.tensors[name]
        return math.prod(dims) // block * size

    def weights(self, name, rows=4):
        """The first few rows, as floats."""
        dims, (kind, block, size), offset = self.tensors[name]
        at, found = self.start + offset, []
        for _ in range(min(rows, dims[1] if len(dims) > 1 else 1) * dims[0] // block):
            raw = self.data[at:at + size]
            at += size
            if kind == "f32":
                found.append(struct.unpack("<f", raw)[0])
                continue
            d = struct.unpack("<e", raw[:2])[0]
            if kind == "q8_0":
                found += [d * q for q in struct.unpack("<32b", raw[2:])]
            else:
                found += [d * ((b & 15) - 8) for b in raw[2:]] + [d * ((b >> 4) - 8) for b in raw[2:]]
        return found


@case
def a_model_has_what_llama_wants(s):
    m = Gguf(s.model("tiny"))
    kv = m.kv
    equal((kv["general.architecture"], kv["tokenizer.ggml.model"]), ("llama", "llama"), "architecture")
    dim, layers, ffn = (kv[f"llama.{k}"] for k in ("embedding_length", "block_count", "feed_forward_length"))
    vocab = kv["llama.vocab_size"]
    want = {"token_embd.weight": (dim, vocab), "output_norm.weight": (dim,), "output.weight": (dim, vocab)}
    for i in range(layers):
        for name, dims in (("attn_norm", (dim,)), ("attn_q", (dim, dim)), ("attn_k", (dim, dim)),
                           ("attn_v", (dim, dim)), ("attn_output", (dim, dim)), ("ffn_norm", (dim,)),
                           ("ffn_gate", (dim, ffn)), ("ffn_up", (dim, ffn)), ("ffn_down", (ffn, dim))):
            want[f"blk.{i}.{name}.weight"] = dims
    equal({k: v[0] for k, v in m.tensors.items()}, want, "tensors")


@case
def a_model_with_experts_has_them_in_each_layer(s):
    m = Gguf(s.model("moe", "--experts", "6", "--experts-used", "3"))
    kv = m.kv
    equal((kv["llama.expert_count"], kv["llama.expert_used_count"]), (6, 3), "experts")
    dim, ffn = kv["llama.embedding_length"], kv["llama.feed_forward_length"]
    for i in range(kv["llama.block_count"]):
        got = {k.split(".")[2]: v[0] for k, v in m.tensors.items() if k.startswith(f"blk.{i}.ffn")}
        equal(got, {"ffn_norm": (dim,), "ffn_gate_inp": (dim, 6), "ffn_gate_exps": (dim, ffn, 6),
                    "ffn_up_exps": (dim, ffn, 6), "ffn_down_exps": (ffn, dim, 6)}, f"tensors of layer {i}")
    check("llama.expert_count" not in Gguf(s.model("moe", "--experts", "0")).kv, "a dense one has none")


@case
def a_router_by_parity_sees_nothing_else(s):
    m = Gguf(s.model("moe", "--router", "parity", "--type", "q8_0"))
    dim, n = m.kv["llama.embedding_length"], m.kv["llama.expert_count"]
    equal([round(w) for w in m.weights("token_embd.weight", 6)[::dim]], [1, -1] * 3, "even and odd tokens")
    for i in range(m.kv["llama.block_count"]):
        router = m.weights(f"blk.{i}.ffn_gate_inp.weight", n)
        scores = router[::dim]
        equal(sorted(range(n), key=lambda e: -scores[e]), [(i + e) % n for e in range(n)], f"order in layer {i}")
        check(not any(w for at, w in enumerate(router) if at % dim), "the rest is zero")
        for name in ("attn_output", "ffn_down_exps"):
            rows = m.weights(f"blk.{i}.{name}.weight", 2)
            check(not any(rows[:len(rows) // 2]) and any(rows[len(rows) // 2:]), f"the first row of {name} is zero")


@case
def the_vocabulary_has_every_byte_once(s):
    kv = Gguf(s.model("small")).kv
    tokens, types = kv["tokenizer.ggml.tokens"], kv["tokenizer.ggml.token_type"]
    equal(len({*tokens}), 32000, "distinct tokens")
    equal((len(types), len(kv["tokenizer.ggml.scores"])), (32000, 32000), "types and scores")
    equal(tokens[:3], ["<unk>", "<s>", "</s>"], "special tokens")
    equal([t for t, kind in zip(tokens, types) if kind == 6], [f"<0x{i:02X}>" for i in range(256)], "bytes")


@case
def tensors_fill_the_file_without_overlap(s):
    for kind, preset in (("f32", "tiny"), ("q8_0", "tiny"), ("q4_0", "tiny"), ("q4_0", "moe")):
        m = Gguf(s.model(preset, "--type", kind))
        end = 0
        for name, (_, _, offset) in m.tensors.items():
            equal(offset, end, f"offset of {name}")
            end = -(-(offset + m.size(name)) // 32) * 32
        equal(len(m.data) - m.start, end, f"bytes of tensors in {kind}")


@case
def quantised_weights_are_those_of_f32(s):
    exact = Gguf(s.model("tiny", "--type", "f32")).weights("blk.1.ffn_gate.weight")
    near(math.sqrt(sum(w * w for w in exact) / len(exact)), 1 / math.sqrt(64), 0.1, "their size")
    for kind, steps in (("q8_0", 127), ("q4_0", 8)):
        got = Gguf(s.model("tiny", "--type", kind)).weights("blk.1.ffn_gate.weight")
        equal(len(got), len(exact), f"weights in {kind}")
        for i in range(0, len(exact), 32):
            step = max(abs(w) for w in exact[i:i + 32]) / steps
            worst = max(abs(a - b) for a, b in zip(got[i:i + 32], exact[i:i + 32]))
            # half a step; the largest of q4_0 may be cut by a whole one, as +8 has no code
            between(0, worst, step * (1.01 if kind == "q4_0" else 0.51) + 1e-3 * step * steps, f"error of {kind}")


@case
def the_same_options_give_the_same_bytes(s):
    def written(*args):
        s.run([s.make_gguf, *args, "-o", s.path("m")], preload=False)
        with open(s.path("m"), "rb") as f:
            return f.read()

    first = written("--seed", "5")
    check(written("--seed", "5") == first, "same seed, same bytes")
    check(written("--seed", "6") != first, "another seed, other bytes")
    between(0.5e6, len(first), 0.8e6, "size of the tiny preset")


@case
def bad_options_get_one_line(s):
    out = ["-o", s.path("never")]
    for args in ([], ["-o"], ["--dim", "33", *out], ["--dim", "0", *out], ["--heads", "5", *out],
                 ["--vocab", "10", *out], ["--type", "q5_1", *out], ["--preset", "huge", *out],
                 ["--seed", "x", *out], ["--what", *out], [*out, "more"], ["--experts", "1", *out],
                 ["--experts", "4", "--experts-used", "5", *out], ["--router", "parity", *out], ["--router", "best", *out], ["--ffn", "50", *out]):
        run = s.run([s.make_gguf, *args], preload=False, code=2)
        one_line(run.stderr, f"message for {args}")
    check(not os.path.exists(s.path("never")), "nothing is written")
    run = s.run([s.make_gguf, "-o", s.path("no/such/file")], preload=False, code=1)
    one_line(run.stderr, "message for a file that cannot be")


@case
def a_full_disk_is_said(s):
    run = s.run([s.make_gguf, "-o", "/dev/full"], preload=False, code=1)
    one_line(run.stderr, "message")


main()
