"""How packages are made of a network and data: one recipe of frozen choices, and its three uses.

`HUB` makes the bundled models, `TRAIN` those of one's own sounds, `SPECIALIZE` the one that a look-up asked for. All
three go through the same functions (see zoo.make.pipeline).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from search.accuracy import LEAST_ROWS, ROWS
from search.evolve import EVALUATIONS, FINALISTS

__all__ = ["BATCHES", "HUB", "QUICK", "SPECIALIZE", "TRAIN", "MakeRecipe", "fitting_batch", "networks_told_apart"]

BATCHES, LEAST_STEPS = (128, 64, 32, 16, 8), 16
"""The batch is the largest of these that gives an epoch so many steps."""
CALIBRATION_MS, LEAST_CLIPS = 2_048_000, 256
"""How long all clips are together that norms and ranges are measured on, and the fewest of them."""


@dataclass(frozen=True)
class MakeRecipe:
    """What is chosen when packages are made.

    bits: of the weights of models that are always made; whole widths start each from the next wider one. tune_epochs,
    tune_rate: of the fine-tune in float. quant_epochs: of that at each width. tune_steps, quant_steps: the fewest steps
    of these, for which few clips are heard in more epochs. width_epochs: to learn the bits of each layer.
    mean_bits: of a weight, where they are learned. calibration_clips: that norms and ranges are measured on.
    samples: networks that are measured for the predictor of accuracy. evaluations: networks that a search tries;
    finalists: those of them that are measured in the end. search_seed: of the search. clip_digests: whether packages
    keep digests of the clips that they were made with (see zoo.run.known).
    """

    bits: tuple[int | str, ...] = (8, 4)
    tune_epochs: int = 15
    tune_steps: int = 0
    tune_rate: float = 2e-3
    quant_epochs: int = 5
    quant_steps: int = 0
    width_epochs: int = 3
    mean_bits: float = 2.5
    calibration_clips: int = 2048
    samples: int = ROWS
    evaluations: int = EVALUATIONS
    finalists: int = FINALISTS
    search_seed: int = 0
    clip_digests: bool = False

    def fitted(self, clip_ms: int, choosing: int) -> MakeRecipe:
        """The recipe for clips of this length, of which so many are chosen by.

        Longer clips are fewer in calibration, so that they fit into memory, and no more networks are measured than the
        clips can tell apart.
        """
        calibrated = min(self.calibration_clips, max(LEAST_CLIPS, CALIBRATION_MS // clip_ms))
        return replace(self, calibration_clips=calibrated, samples=networks_told_apart(choosing, self.samples))

    def epochs_to_tune(self, steps: int) -> int:
        """Of a fine-tune in float whose epochs have so many steps."""
        return _epochs(self.tune_epochs, self.tune_steps, steps)

    def epochs_to_quantise(self, steps: int) -> int:
        """Of a fine-tune at bits whose epochs have so many steps."""
        return _epochs(self.quant_epochs, self.quant_steps, steps)


HUB = MakeRecipe()
"""Of the bundled models; each of them has further choices of its own (see scripts/make_hub.py)."""
TRAIN = MakeRecipe(tune_steps=240, quant_steps=80, samples=120, clip_digests=True)
QUICK = replace(
    TRAIN,
    tune_epochs=5,
    tune_steps=80,
    quant_epochs=2,
    quant_steps=32,
    samples=LEAST_ROWS,
    evaluations=4000,
    finalists=3,
)
"""A first model in a fraction of the time, to see whether the data will do."""
SPECIALIZE = MakeRecipe(tune_epochs=6, tune_steps=320, quant_epochs=3, quant_steps=110, clip_digests=True)


def _epochs(epochs: int, least_steps: int, steps: int) -> int:
    return max(epochs, ceil(least_steps / max(1, steps)))


def fitting_batch(drawn: int) -> int:
    """The batch for an epoch of so many clips."""
    return next((size for size in BATCHES if drawn >= size * LEAST_STEPS), BATCHES[-1])


def networks_told_apart(clips: int, most: int) -> int:
    """How many networks are worth measuring on so many clips, at most `most`.

    The shares of right answers of n clips are n + 1 different ones: of more networks, some must be equal.
    """
    return max(LEAST_ROWS, min(most, clips + 1))
