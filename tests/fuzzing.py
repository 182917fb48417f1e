"""Tests of many examples: how many, which, and a count of those that are taken and those that are refused."""

import functools
import os

from hypothesis import HealthCheck, given, settings

__all__ = ["examples", "fuzzed"]

MANY = int(os.environ.get("EARSHOT_FUZZ", "1"))
"""Times as many examples as usual, other ones each time, for a longer search."""
USUAL = 100
LEAST_SHARE = 0.1
"""Of the usual number of examples, those that are taken, and those that are refused. Some kinds are soon used up, so a
longer search need not have more of them.
"""
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
"""Left out: those that ask a clock, and those of what is meant."""


def examples(count: int = USUAL) -> settings:
    """Settings of a test of so many examples: the same ones in every run, but in a longer search."""
    return settings(max_examples=MANY * count, derandomize=MANY == 1, deadline=None, suppress_health_check=CHECKS)


def fuzzed(count: int, *strategies, **named):
    """A decorator of a test that returns of each example whether it was taken: what refuses everything fails, and what
    takes everything does. strategies, named: as `hypothesis.given` takes them.
    """

    def made(test):
        counts = {True: 0, False: 0}

        @examples(count)
        @given(*strategies, **named)
        @functools.wraps(test)
        def each(*arguments, **values):
            counts[test(*arguments, **values)] += 1

        @functools.wraps(each)
        def whole(*arguments, **values):
            each(*arguments, **values)
            assert min(counts.values()) >= LEAST_SHARE * count, counts

        return whole

    return made
