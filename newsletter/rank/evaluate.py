"""How well an order agrees with what the community decided later."""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

QUANTILE = 1.96  # of the normal distribution, for 95 %


class Mean(NamedTuple):
    """A mean over days or weeks, and half the width of its 95 % interval (normal approximation); None over none."""

    value: float | None
    margin: float
    number: int


def precision_at(k: int, truths: Sequence[int]) -> float:
    """Return the share of the first `k` that belong to the true best `k`.

    A hit is a paper whose true votes reach those of the true k-th best, so papers level with it count.

    Args:
        k: how many from the top.
        truths: the true votes of at least `k` papers, in the order that is judged.

    Raises:
        ValueError: there are fewer than `k`.
    """
    if len(truths) < k:
        raise ValueError(f"{len(truths)} papers have no {k} best")
    least = sorted(truths, reverse=True)[k - 1]
    return sum(truth >= least for truth in truths[:k]) / k


def mean(values: Sequence[float]) -> Mean:
    """Return the mean of one value per day or week."""
    if not values:
        return Mean(None, 0.0, 0)
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return Mean(statistics.fmean(values), QUANTILE * spread / math.sqrt(len(values)), len(values))
