"""Which intent an utterance has: that of the labelled examples it is nearest to."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

NONE = "none"
# Below it an utterance is about something else. What is about nothing here (data/held_out.json) is
# at most 0.33 near an intent; what is about something 0.40 to 0.77, but for two questions about
# products that no example speaks of.
THRESHOLD = 0.38
# Decimals of a score. A sentence's vector moves by 1e-7 with what else is in its batch.
DECIMALS = 3
# An intent's likeness is the mean over this many of its nearest examples: one alone is too easily
# near by a single word.
NEAREST = 2

Embed = Callable[[Sequence[str]], "np.ndarray[Any, np.dtype[np.float32]]"]


class Recognised(NamedTuple):
    """An intent and how near its examples are: a cosine, 1 for the same sentence."""

    intent: str
    score: float


class Intents:
    """Recognises intents by a file of examples: {intent: [utterance, ...]}."""

    def __init__(self, embed: Embed, path: Path, threshold: float = THRESHOLD) -> None:
        examples: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
        self.names = sorted(examples)
        self._embed = embed
        self._threshold = threshold
        self._vectors = embed([text for name in self.names for text in examples[name]])
        self._starts = np.cumsum([0, *(len(examples[name]) for name in self.names)])

    def __call__(self, texts: Sequence[str]) -> list[Recognised]:
        """Recognise many utterances in one run of the network."""
        likeness = self._embed(texts) @ self._vectors.T
        scores = np.stack(
            [
                np.sort(likeness[:, start:end])[:, -NEAREST:].mean(axis=1)
                for start, end in zip(self._starts, self._starts[1:], strict=False)
            ],
            axis=1,
        )
        return [self._best(np.round(row.astype(float), DECIMALS)) for row in scores]

    def _best(self, scores: Any) -> Recognised:
        place = int(scores.argmax())
        score = float(scores[place])
        return Recognised(self.names[place] if score >= self._threshold else NONE, score)
