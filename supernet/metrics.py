"""How right answers are: accuracy with its interval, confusions, mean average precision, and bounds of rare events. No
torch here.
"""

from __future__ import annotations

from functools import lru_cache
from math import lgamma, log, sqrt

import numpy as np

__all__ = ["accuracy_interval", "confusion", "mean_average_precision", "poisson_upper", "right"]

CHANCE = 0.05
"""That a number is as small by luck where what is expected is at its upper bound."""
QUANTILE = 1.6448536
"""Of a normal distribution, beyond which 5 % are."""
HALVINGS, MANY = 60, 10**5


def right(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(clips,) True where the top class of logits (clips, classes) is the target (clips,).

    Where a clip may have several labels, targets are 0 or 1 (clips, classes), and it is right where exactly its labels
    have a probability above one half.
    """
    return logits.argmax(1) == targets if targets.ndim == 1 else ((logits > 0) == (targets > 0)).all(1)


def confusion(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Clips by true class and answer, (classes, classes); logits and targets as in `right`.

    Where a clip may have several labels, (classes, 2, 2): for each class whether it is true, and whether it is found.
    """
    classes = logits.shape[1]
    if targets.ndim == 1:
        return np.bincount(targets * classes + logits.argmax(1), minlength=classes**2).reshape(classes, classes)
    true, found = targets > 0, logits > 0
    pairs = [[~true & ~found, ~true & found], [true & ~found, true & found]]
    return np.array(pairs).sum(2).transpose(2, 0, 1)


def mean_average_precision(scores: np.ndarray, targets: np.ndarray) -> float:
    """Mean over classes of the average precision of clips in the order of their scores, 0 to 1, as for AudioSet
    (Gemmeke et al., ICASSP 2017).

    scores: (clips, classes), logits will do; targets: 0 or 1, (clips, classes). Classes without a clip do not count;
    without any class that has one it is 0.
    """
    from sklearn.metrics import average_precision_score

    true = targets > 0
    found = [average_precision_score(true[:, one], scores[:, one]) for one in np.flatnonzero(true.any(0))]
    return float(np.mean(found)) if found else 0.0


def accuracy_interval(share: float, clips: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (0 to 1) measured on so many clips."""
    centre = (share + z * z / (2 * clips)) / (1 + z * z / clips)
    reach = z / (1 + z * z / clips) * (share * (1 - share) / clips + z * z / (4 * clips * clips)) ** 0.5
    return max(0.0, centre - reach), min(1.0, centre + reach)


@lru_cache(maxsize=4096)
def poisson_upper(count: int) -> float:
    """The exact 95 % upper bound of what a Poisson number is expected to be, of which `count` were seen: under it, so
    few or fewer have a chance of 5 %.

    >>> round(poisson_upper(0), 3), round(poisson_upper(3), 3)
    (2.996, 7.754)
    """
    if count > MANY:  # E. B. Wilson and M. M. Hilferty, PNAS 17, 1931
        own = count + 1
        return own * (1 - 1 / (9 * own) + QUANTILE / (3 * sqrt(own))) ** 3
    low, high = float(count), count + 4 * sqrt(count) + 5
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance(count, middle) > CHANCE else (low, middle)
    return high


def _chance(count: int, expected: float) -> float:
    """Of so many or fewer: the sum of the last terms, since those far below the expected number add nothing."""
    first = max(0, count - 20 - int(12 * sqrt(count)))
    steps = np.log(np.maximum(np.arange(first, count + 1), 1) / expected)
    steps[0] = 0.0
    largest = first * log(expected) - expected - lgamma(first + 1)
    return float(np.exp(largest - np.cumsum(steps)).sum())
