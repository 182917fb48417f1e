"""Which quantised networks are published, and in whose place."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pytest

from supernet.bits import MIXED
from supernet.metrics import accuracy_interval, confusion
from zoo.make import candidates as build
from zoo.make import slices
from zoo.make.package import pooled_figures
from zoo.make.recipe import HUB


@dataclass(frozen=True)
class Stub:
    """A candidate of a given worth."""

    bits: int | str
    accuracy: float
    flash: int
    budget: str = "1M"
    build: SimpleNamespace = None

    @property
    def places(self) -> set[tuple]:
        return {(self.budget, self.bits)}

    @property
    def model(self) -> str:
        return f"{self.budget} {self.bits}"

    @property
    def worth(self) -> tuple:
        return self.accuracy, -self.flash


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Publishing that only keeps a list of (budget, bits)."""
    made = []

    def package(item):
        (tmp_path / "packages" / f"{item.budget}-{item.bits}").mkdir(parents=True)
        return tmp_path / "packages" / f"{item.budget}-{item.bits}"

    def publish(packages, hub, replaces):
        made.extend(path.name for path in packages)

    monkeypatch.setattr(build, "_package", package)
    monkeypatch.setattr(build, "publish", publish)
    return made


def stubs(tmp_path, *values):
    place = SimpleNamespace(hub=tmp_path / "hub", task="kws")
    return [Stub(*value, build=place) for value in values]


def test_few_bits_are_published_only_where_no_other_has_more_accuracy_and_less_flash(published, tmp_path):
    build.publish_models(
        stubs(
            tmp_path,
            (8, 0.95, 100),
            (4, 0.90, 60),  # beaten by 2 bits, and always there
            (3, 0.92, 50),
            (2, 0.92, 40),  # as good as 3 bits in less
            (1, 0.85, 30),  # the least flash
            (MIXED, 0.91, 40),  # as much flash as 2 bits
            (2, 0.92, 40, "2M"),  # the same as the other of 2 bits
            (1, 0.80, 35, "2M"),  # beaten by another budget's
        )
    )
    assert published == ["1M-8", "1M-4", "1M-2", "1M-1", "2M-2"]


def test_bits_that_were_asked_for_are_published_in_any_case(published, tmp_path):
    build.publish_models(stubs(tmp_path, (8, 0.95, 40), (2, 0.90, 50)), always=(8, 2))
    assert published == ["1M-8", "1M-2"]


def test_budgets_within_which_one_network_is_found_go_together(monkeypatch, small_space, caplog):
    """First is the one that is fine-tuned longest, of equal ones the tightest."""
    small, large = small_space.smallest(), small_space.largest()
    found = {"20M": large, "3M": small, "1M/64kB": small, "1M/32kB": small, "2M": small}
    monkeypatch.setattr(build, "_search", lambda _, budget: {"arch": found[budget].to_dict()})
    with caplog.at_level("INFO"):
        groups = build._by_network(None, {"20M": 6, "3M": 1, "1M/64kB": 1, "1M/32kB": 1, "2M": 5})
    assert groups == [("20M",), ("2M", "1M/32kB", "1M/64kB", "3M")]
    assert "within 3M MACs and within 1M MACs and 64kB of RAM and within 1M MACs and 32kB of RAM" in caplog.text
    with caplog.at_level("INFO"):
        assert build._by_network(None, {"3M": 1, "2M": 1}) == [("2M", "3M")]
    assert "within 3M and within 2M MACs the search finds one network" in caplog.text.splitlines()[-1]


def test_networks_that_are_the_same_are_published_once(caplog):
    """As where learned bits come out as a whole width does."""
    first, twin, other = (SimpleNamespace(bits=bits, model=model) for bits, model in ((2, "a"), (MIXED, "a"), (4, "b")))
    with caplog.at_level("INFO"):
        assert build._each_once([first, other, twin]) == [first, other]
    assert "at 2 and at mixed bits the network is the same" in caplog.text


def test_a_model_leaves_when_all_that_it_was_made_for_is_replaced(tmp_path):
    """One that several budgets found stays while one of them has no other."""
    made = {"max_macs": 1e6, "seed": 0, "also": [{"max_macs": 3e6, "max_ram": 64e3}]}
    values = {"task": "kws", "training": {"supernet": "s", "search": made}}
    values["quantization_config"] = {"weights": {"num_bits": 8}}
    item = build.Candidate(SimpleNamespace(task="kws", name="s"), ("1M", "3M/64kB"), 8, None, {}, {})
    assert build._places(values) == item.places == {
        ("kws", "s", (("max_macs", 1e6),), 8),
        ("kws", "s", (("max_macs", 3e6), ("max_ram", 64e3)), 8),
    }  # fmt: skip


def test_a_kept_search_is_of_the_same_limits_data_and_weights(tmp_path, monkeypatch):
    asked = []

    def search(supernet, predictor, data, frontend, limits, task, making):
        asked.append(limits)
        return {"arch": len(asked)}

    monkeypatch.setattr(slices, "search_slices", search)
    monkeypatch.setattr(slices, "weights_digest", lambda supernet: supernet)
    changes = {
        "limits": {"max_macs": 2.0},
        "data": SimpleNamespace(digest="b"),
        "supernet": "w",
        "making": replace(HUB, samples=7),
    }
    usual = {"supernet": "v", "predictor": None, "data": SimpleNamespace(digest="a"), "frontend": None}
    usual |= {"limits": {"max_macs": 1.0, "max_ram": None}, "task": "t", "making": HUB}
    for number, (name, value) in enumerate(changes.items()):
        for again in (2 * number + 1, 2 * number + 1):
            assert slices.kept_search(tmp_path / "a.json", **usual)["arch"] == again
        assert slices.kept_search(tmp_path / "a.json", **usual | {name: value})["arch"] == 2 * number + 2
    (tmp_path / "a.json").write_text("{}")
    assert slices.kept_search(tmp_path / "a.json", **usual)["arch"] == 9


def test_pooled_figures_are_those_of_all_clips_together():
    logits = np.random.default_rng(0).standard_normal((50, 3))
    targets = np.arange(50) % 3

    def figures(part):
        share = float((logits[part].argmax(1) == targets[part]).mean())
        ends = list(accuracy_interval(share, len(targets[part])))
        return {"accuracy": share, "interval": ends, "clips": len(targets[part])}

    def of_split(part):
        counts = confusion(logits[part], targets[part]).tolist()
        return {**figures(part), "confusion": counts, "conditions": {"room": figures(part), "clean": figures(part)}}

    parts = [of_split(slice(0, 7)), of_split(slice(7, 20)), of_split(slice(20, 50))]
    del parts[1]["conditions"]["clean"]
    found, whole = pooled_figures(parts), of_split(slice(0, 50))
    assert found["confusion"] == whole["confusion"]
    assert found["conditions"].keys() == {"room"}
    for one in (found, found["conditions"]["room"]):
        assert (one["accuracy"], one["clips"]) == (pytest.approx(whole["accuracy"], abs=1e-6), 50)
        assert one["interval"] == pytest.approx(whole["interval"], abs=1e-6)
    assert pooled_figures(parts, (1, 2, 3))["folds"] == [1, 2, 3]
    del parts[0]["confusion"], parts[0]["conditions"]
    assert pooled_figures(parts).keys() == {"accuracy", "interval", "clips"}
