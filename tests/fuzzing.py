"""Tests of many examples, which count what is taken and what is refused."""

import functools
import os

from hypothesis import HealthCheck, given, settings

__all__ = ["fuzzed"]

MANY = int(os.environ.get("EARSHOT_FUZZ", "1"))
"""Times as many examples, for a longer search."""
LEAST_SHARE = 0.1
"""Of the usual number of examples, those that are taken, and those that are refused. Some kinds are soon used up, so a
longer search need not have more of them.
"""
CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def fuzzed(examples: int, *strategies, **named):
    """A decorator of a test that returns of each example whether it was taken: what refuses everything fails, and what
    takes everything does. strategies, named: as `hypothesis.given` takes them.
    """
    options = settings(max_examples=MANY * examples, suppress_health_check=CHECKS, derandomize=MANY == 1)

    def made(test):
        counts = {True: 0, False: 0}

        @options
        @given(*strategies, **named)
        @functools.wraps(test)
        def each(*arguments, **values):
            counts[test(*arguments, **values)] += 1

        @functools.wraps(each)
        def whole(*arguments, **values):
            each(*arguments, **values)
            assert min(counts.values()) >= LEAST_SHARE * examples, counts

        return whole

    return made
