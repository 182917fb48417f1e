"""Studies of streams: ratios of false alarms at equal misses, on curves that are known."""

import numpy as np

from studies.alarm_ratio import figures


def curve(recalls, rates, words=400, minutes=300, seed=0):
    """At each threshold a share of words that is found and a mean of alarms a minute, both by chance."""
    rng = np.random.default_rng(seed)
    luck = rng.random(words)
    found = np.array([luck < recall for recall in recalls])
    alarms = np.array([rng.poisson(rate, minutes) for rate in rates])
    return found, alarms, minutes / 60


def test_a_curve_beside_itself_has_a_ratio_of_one():
    one = curve((0.99, 0.95, 0.85, 0.6), (8, 4, 1, 0.2))
    found = figures(one, one, 0.1)
    assert (found["ratio"], found["low"], found["high"]) == (1, 1, 1)
    assert found["alarms"] == one[1][1].sum()
    assert found["hours"] == 5


def test_a_ratio_is_that_at_the_highest_threshold_that_finds_enough_words():
    recalls = (0.99, 0.96, 0.85, 0.6)
    quiet, loud = curve(recalls, (4, 2, 0.5, 0.1)), curve(recalls, (12, 6, 1.5, 0.3), seed=1)
    found = figures(loud, quiet, 0.08)
    assert found["low"] < 3 < found["high"]
    assert found["high"] - found["low"] < 1
    assert abs(found["ratio"] - 3) < 0.4


def test_where_no_threshold_finds_enough_words_the_lowest_stands():
    one = curve((0.7, 0.5), (3, 1))
    assert figures(one, one, 0.05)["alarms"] == one[1][0].sum()
