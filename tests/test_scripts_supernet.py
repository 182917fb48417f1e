"""The scripts that ask of a supernet whether its slices and its schedule are good, at a toy size."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kendalltau

from supernet.cost import macs, params
from supernet.data.augment import Augmentation, plain_features
from supernet.data.scenes import Scenes
from supernet.files import read_json, save_tensors
from supernet.frontend.logmel import LogMel
from supernet.nn.store import save_supernet
from supernet.nn.supernet import Supernet
from supernet.space import default_space
from supernet.train.calibration import calibration_features, features_as_heard, fit_frontend, scene_features
from supernet.train.recipe import Recipe
from zoo.make.recipe import HUB

SEEDS = {"smallest": 2, "map-1M": 1}


@dataclass(frozen=True)
class SmallBatch(Recipe):
    batch: int = 8


@pytest.fixture
def space(map_space):
    return replace(map_space, clip_ms=1000, coefficients=(40,))


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """Folder in which rows land, as from a clean checkout."""
    from studies import rows

    monkeypatch.setattr(rows, "_commit", lambda: "0123456789")
    return tmp_path / "results"


def stand_in(monkeypatch, modules):
    """Values by the names that they take in modules."""
    for module, values in modules.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)


def contents(folder):
    return {path.name: path.read_text() for path in folder.glob("*.csv")}


@pytest.fixture
def stored(space, speech_data, tmp_path):
    """The folder of a supernet that was trained in scenes, and what it is of."""
    frontend, scenes = fit_frontend(speech_data, 1, LogMel), Scenes(chain=2, rooms=2)
    supernet = Supernet(space, calibration_features(speech_data, frontend, 22)).eval()
    training = {"recipe": {"epochs": 1, "augmentation": asdict(scenes)}}
    info = {"name": "kws-temporal-map", "licence": "cc-by-4.0", "attribution": "the tests", "training": training}
    labels = speech_data.labels
    folder = save_supernet(tmp_path / "hub" / "supernets" / info["name"], supernet, frontend, "kws", labels, info)
    return SimpleNamespace(folder=folder, supernet=supernet, frontend=frontend, scenes=scenes)


def test_the_claim_measures_four_ways_on_the_same_clips(space, speech_data, stored, tables, tmp_path, monkeypatch):
    from studies import claim

    for name, value in {
        "load_words": lambda *arguments: speech_data,
        "Recipe": SmallBatch,
        "SIZES": SEEDS,
        "CALIBRATED": 8,
        "uniform_archs": lambda classes: {"map-1M": space.largest()},
    }.items():
        monkeypatch.setattr(claim, name, value)
    options = ["data", "--supernet", stored.folder, "--epochs", 1, "--tune-epochs", 1, "--longer", 2]
    options += ["--only", *SEEDS, "--runs", tmp_path / "runs"]
    claim.STUDY.start(options, folder=tables)
    written = contents(tables)
    rows = pd.read_csv(tables / "claim.csv")
    counts = rows.groupby(["size", "way"]).size().to_dict()
    for size, seeds in SEEDS.items():
        expected = dict.fromkeys(claim.WAYS, seeds) | {"slice": 1, "longer": claim.LONG.get(size)}
        assert {way: counts.get((size, way)) for way in claim.WAYS} == expected
    assert rows[rows.way == "longer"].epochs.tolist() == [2]
    test = speech_data.splits["test"]
    heard = features_as_heard(speech_data, stored.frontend, stored.scenes, 8, 0)
    sliced = stored.supernet.extract(space.smallest(), heard)
    answers = sliced(plain_features(speech_data, test.rows, stored.frontend).float() / 32).argmax(1).numpy()
    [row] = rows[(rows["size"] == "smallest") & (rows.way == "slice")].itertuples()
    assert row.test == round(100 * np.mean(answers == test.targets), 2)
    means = rows[rows["size"] == "smallest"].groupby("way").test.mean()
    for row in pd.read_csv(tables / "claim_intervals.csv").query("size == 'smallest'").itertuples():
        assert row.difference == pytest.approx(means[row.first] - means[row.second], abs=0.02)
        assert row.low <= row.difference <= row.high
    header, shown = claim.table_of_ways("kws", results_in(tables))
    assert [len(row) for row in shown] == [len(header)] * len(SEEDS)
    claim.STUDY.start(options, folder=tables)
    assert contents(tables) == written


def results_in(folder):
    from studies import rows

    return rows.Rows(folder)


def test_budgets_are_paid_alone_or_once_for_all(space, speech_data, tables, tmp_path, monkeypatch):
    from studies import budgets, networks

    scenes = Scenes(chain=2, rooms=2)
    supernet = Supernet(space, torch.randn(8, 40, 100))
    stand_in(
        monkeypatch,
        {
            budgets: {
                "kept_supernet": lambda *arguments: (supernet, None, []),
                "load_words": lambda *arguments: speech_data,
                "words_space": lambda data: space,
                "fit_frontend": lambda data, stride, *arguments: fit_frontend(data, 1, *arguments),
                "uniform_archs": lambda classes: {"map-1M": space.largest()},
                "SIZES": ("smallest", "map-1M"),
                "SUPERNET": replace(budgets.SUPERNET, batch=8, augmentation=scenes),
                "Recipe": SmallBatch,
                "CALIBRATED": 8,
            },
            networks: {"TIMED": 2},
        },
    )
    options = ["data", "--hours", 1e-9, "--alone", 1e-9, "--tune", 1, "--runs", tmp_path / "runs"]
    budgets.STUDY.start(options, folder=tables)
    written = contents(tables)
    rows = pd.read_csv(tables / "budgets.csv")
    counts = rows.groupby(["way", "tuned"]).size().to_dict()
    assert counts == {(budgets.ALONE, 0): 2} | {
        (way, tuned): 2 for way in (budgets.ONCE, budgets.LONG) for tuned in (0, 1)
    }
    for way in budgets.ONCE, budgets.LONG:
        once = rows[rows.way == way]
        assert once.shared_hours.nunique() == 1
        assert (once.own_hours > 0).tolist() == (once.tuned > 0).tolist()
    assert len(budgets.table_of_totals(results_in(tables))[1]) == 5
    budgets.STUDY.start(options, folder=tables)
    assert contents(tables) == written


def test_totals_are_those_of_so_many_networks(tables):
    from studies import budgets

    rows = [(budgets.ALONE, 0.5, 0, 80.0, 0.5, 0.0), (budgets.LONG, 0.0, 2, 90.0, 0.02, 3.0)]
    names = ["way", "hours", "tuned", "test", "own_hours", "shared_hours"]
    tables.mkdir()
    table = pd.DataFrame([(*row, net) for row in rows for net in budgets.SIZES], columns=[*names, "net"])
    table.assign(configuration="", commit="").to_csv(tables / "budgets.csv", index=False)
    _, shown = budgets.table_of_totals(results_in(tables))
    assert [row[1:] for row in shown] == [
        ["20.0", "0.5", "1.5", "5.0", "15.0", "50.0"], ["10.0", "3.0", "3.1", "3.2", "3.6", "5.0"]
    ]  # fmt: skip


def test_networks_of_one_size_are_ordered_by_slice_prediction_and_cost(
    space, speech_data, stored, tables, tmp_path, monkeypatch
):
    from studies import rank

    for name, value in {
        "load_words": lambda *arguments: speech_data,
        "load_predictor": lambda folder, space: (
            SimpleNamespace(predict=lambda space, genes: space.costs(genes)["macs"] / 1e7), {}
        ),
        "Recipe": SmallBatch,
        "CALIBRATED": 8,
        "DRAWS": 50,
        "BUNDLED": tmp_path / "hub",
    }.items():  # fmt: skip
        monkeypatch.setattr(rank, name, value)
    least, most = (0.9 * macs(space.smallest()), macs(space.largest()))
    options = ["data", "--networks", 4, "--least", least, "--most", most, "--epochs", 1, "--runs", tmp_path / "runs"]
    rank.STUDY.start(options, folder=tables)
    written = contents(tables)
    table = pd.read_csv(tables / "rank.csv")
    assert len(table) == table.macs.nunique() == 4
    assert table.predicted.tolist() == [round(value / 1e5, 2) for value in table.macs]
    found = pd.read_csv(tables / "rank_correlation.csv").set_index(["correlation", "of"])
    assert found.value.between(-1, 1).all()
    wanted = kendalltau(table.macs, table.alone).statistic
    assert found.value["Kendall", "macs"] == found.value["Kendall", "predicted"] == pytest.approx(wanted, abs=1e-3)
    assert len(rank.table_of_ranks(results_in(tables))[1]) == 6
    rank.STUDY.start(options, folder=tables)
    assert contents(tables) == written


def test_the_claim_on_events_compares_errors_of_one_size(square_space, speech_data, tables, tmp_path, monkeypatch):
    """A plain network and one that was found within its parameters and MACs, each made in its ways."""
    from studies import event_claim

    frontend = fit_frontend(speech_data, 1, LogMel)
    supernet = Supernet(square_space, calibration_features(speech_data, frontend, 22)).eval()
    training = {"recipe": {"epochs": 1, "augmentation": asdict(Augmentation(mix_share=0.5))}}
    info = {"name": "tones", "licence": "cc-by-4.0", "attribution": "the tests", "training": training}
    folder = save_supernet(tmp_path / "supernet", supernet, frontend, "tones", speech_data.labels, info)
    plain = square_space.from_genes(square_space.sample(np.random.default_rng(5)))[0]
    best = SimpleNamespace(predict=lambda space, genes: space.costs(genes)["macs"] / 1e9)
    tested = len(speech_data.splits["test"])
    for name, value in {
        "load": lambda *arguments: speech_data,
        "load_predictor": lambda folder, space: (best, {"quality": {"rows": 9}}),
        "Recipe": lambda **recipe: Recipe(**{**recipe, "batch": 8}),
        "event_archs": lambda classes: {"20k": plain},
        "SEEDS": {"20k": 2, "largest": 1},
        "LONG": {"longer": {"20k": 1}, "longer distilled": {"20k": 2}},
        "list_clips": lambda root: SimpleNamespace(split=np.array(["test"] * tested), src_file=np.arange(tested)),
    }.items():
        monkeypatch.setattr(event_claim, name, value)
    monkeypatch.setattr(event_claim, "HUB", replace(HUB, evaluations=60, finalists=2))
    options = ["data", "--supernet", folder, "--task", "tones", "--epochs", 1, "--tune-epochs", 1]
    options += ["--only", "20k", "largest", "--runs", tmp_path / "runs"]
    event_claim.STUDY.start(options, folder=tables)
    written = contents(tables)
    rows = pd.read_csv(tables / "event_claim.csv")
    counts = rows.groupby(["size", "network", "way"]).size().to_dict()
    ways = {"plain": ("alone", "distilled", "slice", "tuned"), "found": ("alone", "slice", "tuned")}
    wanted = {("20k", kind, way): 1 if way == "slice" else 2 for kind, own in ways.items() for way in own}
    longer = {("20k", "plain", "longer"): 1, ("20k", "plain", "longer distilled"): 2}
    assert counts == wanted | longer | {("largest", "plain", way): 1 for way in ("alone", "slice", "tuned")}
    assert set(rows[rows.way.str.startswith("longer")].epochs) == {2}
    found = rows[rows.network == "found"].iloc[0]
    assert found.params <= params(plain)
    assert found.macs <= macs(plain)
    errors = 100 - rows[rows["size"] == "20k"].groupby(["network", "way"]).test.mean()
    reductions = pd.read_csv(tables / "event_claim_reductions.csv")
    for row in reductions[reductions["size"] == "20k"].itertuples():
        first, second = (errors[tuple(name.split(" ", 1))] for name in (row.first, row.second))
        assert row.reduction == pytest.approx(100 * (1 - first / second), abs=0.3)
        assert row.low <= row.reduction <= row.high
    assert set(reductions[reductions["size"] == "largest"]["first"]) == {"plain tuned"}
    event_claim.STUDY.start(options, folder=tables)
    assert contents(tables) == written


def test_plain_networks_of_events_have_about_their_parameters(tables):
    from studies import networks

    sizes = {name: params(arch) for name, arch in networks.event_archs(50).items()}
    assert sizes == {name: pytest.approx(1000 * int(name[:-1]), rel=0.1) for name in ("20k", "50k", "100k")}
    assert all(arch in default_space("mbconv", 50, 5000, "logmel") for arch in networks.event_archs(50).values())


def test_the_schedules_are_measured_on_the_same_networks(map_space, speech_data, tables, tmp_path, monkeypatch):
    """From the same weights, with a teacher and without; what is measured again is the same."""
    import long_run
    from studies import schedules

    tasks = (("downs", ("down", "_unknown_", "_silence_")),)
    space = replace(map_space, classes=7, clip_ms=1000, coefficients=(40,))
    short = {
        name: replace(recipe, batch=8, tasks=tasks, augmentation=Scenes(chain=2, rooms=2))
        for name, recipe in {**schedules.SCHEDULES, **long_run.PLANS}.items()
    }
    stand_in(
        monkeypatch,
        {
            schedules: {
                "load_words": lambda *arguments: speech_data,
                "fitted": lambda *arguments: fit_frontend(speech_data, 1, LogMel),
                "SCHEDULES": {name: short[name] for name in schedules.SCHEDULES},
                "PLANS": {name: replace(short[name], epochs=1) for name in long_run.PLANS},
                "CLASSES": {"small": (0.0, 0.5e6), "large": (0.5e6, np.inf)},
                "TIMED_STEPS": 2,
                "MEASURED": 2,
                "CALIBRATED": 8,
            },
            long_run: {
                "words_space": lambda data: space,
                "CALIBRATED": 8,
                "KEPT": tmp_path / "kept",
                "PLANS": {name: replace(short[name], epochs=1) for name in long_run.PLANS},
            },
        },
    )
    options = ["data", "--minutes", 0.001, "--runs", tmp_path / "runs", "--long", tmp_path / "long"]
    schedules.STUDY.start(options, folder=tables)
    written = contents(tables)
    rows = pd.read_csv(tables / "schedules.csv")
    assert set(zip(rows.schedule, rows.taught, strict=True)) == set(product(schedules.SCHEDULES, schedules.TAUGHT))
    assert rows["mean"].to_numpy() == pytest.approx(rows[["small", "large"]].mean(axis=1).to_numpy(), abs=0.01)
    assert (rows.epochs >= 1).all()
    schedules.STUDY.start(options, folder=tables)
    assert contents(tables) == written


def test_peers_and_plain_networks_hear_the_same_clips_with_and_without_a_teacher(
    map_space, speech_data, tables, tmp_path, monkeypatch
):
    """What is trained beside others has the row that it has alone."""
    from studies import networks, peers

    space, scenes = replace(map_space, clip_ms=1000, coefficients=(40,)), Scenes(chain=2, rooms=2)
    frontend = fit_frontend(speech_data, 1, LogMel, scenes)
    supernet = Supernet(space, scene_features(speech_data, frontend, scenes, 8, 0))
    stand_in(
        monkeypatch,
        {
            peers: {
                "load_words": lambda *arguments, **options: speech_data,
                "kept_supernet": lambda *arguments: (supernet.eval(), frontend, []),
                "PLANS": {peers.LAST: replace(peers.PLANS[peers.LAST], augmentation=scenes)},
                "OURS": {"map-1M": space.largest()},
                "NETS": ("tc-resnet8", "map-1M"),
                "Recipe": SmallBatch,
                "CALIBRATED": 8,
            },
            networks: {"TIMED": 2},
        },
    )
    options = ["data", "--hours", 1e-9, "--runs", tmp_path / "runs", "--quant-epochs", 1]
    peers.STUDY.start([*options, "--nets", "tc-resnet8", "map-1M"], folder=tables)
    rows = pd.read_csv(tables / "peers.csv").set_index(["net", "way", "bits"]).sort_index()
    assert len(rows) == 2 * 2 * 2
    assert (rows.epochs == 1).all()
    assert rows[["validation", "test", "fainter_20", "noise_10"]].stack().between(0, 100).all()
    header, shown = peers.peers_table(results_in(tables))
    assert all(len(row) == len(header) for row in shown)
    assert {row[0] for row in shown} == {"temporal-map-1M, plain", "TC-ResNet8"}
    before = contents(tables)
    peers.STUDY.start([*options, "--nets", "tc-resnet8", "map-1M"], folder=tables)
    assert contents(tables) == before
    alone = tmp_path / "alone"
    peers.STUDY.start([*options, "--nets", "map-1M", "--ways", "labels", "--runs", tmp_path / "other"], folder=alone)
    figures = ["macs", "flash_bytes", "clips", "validation", "test", "fainter_20", "noise_10"]
    for row in pd.read_csv(alone / "peers.csv").itertuples():
        beside = rows.loc[(row.net, row.way, row.bits)]
        assert [getattr(row, name) for name in figures] == [beside[name] for name in figures]


def test_a_cut_network_hears_each_clip_alone(tables):
    from studies.peer_nets import Cut

    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4 * 5, 3))
    scenes = torch.randn(2, 4, 15, generator=torch.Generator().manual_seed(0))
    alone = torch.cat(
        [network(scenes[index, :, 5 * clip : 5 * clip + 5][None]) for index in (0, 1) for clip in range(3)]
    )
    torch.testing.assert_close(Cut(network)(scenes, 3), alone)


def test_weights_that_are_kept_serve_where_the_runs_are_lost(map_space, speech_data, tables, tmp_path, monkeypatch):
    import long_run

    space = replace(map_space, clip_ms=1000, coefficients=(40,))
    plan = replace(long_run.PLANS["teacher"], epochs=1, batch=8, tasks=(), augmentation=Scenes(chain=2, rooms=2))
    for name, value in {
        "load_words": lambda *arguments: speech_data,
        "words_space": lambda data: space,
        "fit_frontend": lambda data, stride, *arguments: fit_frontend(data, 1, *arguments),
        "PLANS": {"teacher": plan, "tuned": plan, "supernet": replace(plan, epochs=2)},
        "LAST": "supernet",
        "KEPT": tmp_path / "kept",
        "CALIBRATED": 8,
        "Scenes": lambda: plan.augmentation,
    }.items():
        monkeypatch.setattr(long_run, name, value)
    monkeypatch.setattr(long_run.os, "nice", lambda more: 0)

    def train(*arguments):
        monkeypatch.setattr("sys.argv", ["long_run.py", *map(str, arguments)])
        long_run.main()

    runs = tmp_path / "runs" / "long"
    train("data", "--runs", runs, "--only", "teacher")
    train("data", "--runs", runs, "--only", "teacher", "--keep")
    frontend = long_run.fitted(speech_data, runs)
    first = long_run.trained("teacher", plan, speech_data, frontend, runs, None)
    assert long_run.fitted(speech_data, tmp_path / "none") == frontend
    lost = long_run.trained("teacher", plan, speech_data, frontend, tmp_path / "none", None)
    for own, kept in zip(first.parameters(), lost.parameters(), strict=True):
        np.testing.assert_allclose(kept.detach(), own.detach(), rtol=1e-3, atol=1e-6)
    train("data", "--runs", tmp_path / "new" / "long")
    new = tmp_path / "new" / "long"
    assert [len(read_json(new / name / "log.json")) for name in ("tuned", "supernet")] == [1, 2]
    assert not (new / "teacher").exists()
    train("data", "--runs", new, "--only", "supernet", "--keep")
    monkeypatch.setattr(long_run, "PLANS", {**long_run.PLANS, "settled": plan})
    monkeypatch.setattr(long_run, "LAST", "settled")
    train("data", "--runs", tmp_path / "last" / "long", "--only", "settled")
    last = {path.name for path in (tmp_path / "last" / "long").iterdir() if path.is_dir()}
    assert last == {"settled"}  # neither the supernet nor what is before it is trained again


def test_each_task_of_the_kept_weights_has_its_part_of_the_head(map_space, speech_data, tmp_path, monkeypatch):
    """Logits of one task are those that the whole supernet has for it."""
    import long_run

    tasks, labels = (("downs", ("down", "_unknown_", "_silence_")),), len(speech_data.labels)
    plan = replace(long_run.PLANS["teacher"], augmentation=Scenes(chain=2, rooms=2))
    space, frontend = replace(map_space, clip_ms=1000, coefficients=(40,)), fit_frontend(speech_data, 1, LogMel)
    for name, value in {"TASKS": tasks, "PLANS": {"teacher": plan}, "KEPT": tmp_path}.items():
        monkeypatch.setattr(long_run, name, value)
    monkeypatch.setattr(long_run, "words_space", lambda data: space)
    calibration = scene_features(speech_data, frontend, plan.augmentation, 8, plan.seed)
    whole = Supernet(space.with_classes(labels + 3), calibration, 1).eval()
    weights = {name: one.detach().numpy() for name, one in whole.named_parameters()}
    save_tensors(tmp_path / "teacher.safetensors", weights, {"frontend": frontend.to_dict(), "log": [{"epoch": 0}]})
    expected = whole(calibration[:4], whole.space.smallest())
    for task, data, part in (
        ("commands", speech_data, slice(labels)),
        ("downs", replace(speech_data, labels=tasks[0][1]), slice(labels, None)),
    ):
        supernet, own, log = long_run.kept_supernet("teacher", data, task, 8)
        found = supernet(calibration[:4], supernet.space.smallest())
        torch.testing.assert_close(found, expected[:, part])
        assert (own, log) == (frontend, [{"epoch": 0}])


def test_one_training_goes_on_at_a_time(tables, tmp_path, capsys):
    import long_run

    order = []

    def train(name, seconds):
        with long_run.only_training(tmp_path / "runs"):
            order.append(f"{name} begins")
            time.sleep(seconds)
            order.append(f"{name} ends")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(train, "first", 0.5)
        while not order:
            time.sleep(0.01)
        pool.submit(train, "second", 0).result()
        first.result()
    assert order == ["first begins", "first ends", "second begins", "second ends"]
    assert "another training is going on" in capsys.readouterr().err


def test_keyword_spotters_are_searched_within_the_macs_of_published_ones(
    square_space, speech_data, tables, tmp_path, monkeypatch
):
    """Both are made alone and from the slice; the supernet's ends are told as its log has them."""
    from studies import keyword_search

    small = replace(square_space, feature_kind="mfcc")
    stand_in(
        monkeypatch,
        {
            keyword_search: {
                "load": lambda *arguments: speech_data,
                "default_space": lambda *arguments: small,
                "SUPERNET": replace(keyword_search.SUPERNET, epochs=1, batch=8),
                "Recipe": SmallBatch,
                "MAKING": replace(HUB, samples=20, evaluations=60, finalists=2),
            },
        },
    )
    options = ["data", "--within", "pless-mfcc20-5", "--epochs", 1, "--runs", tmp_path / "runs"]
    keyword_search.STUDY.start(options, folder=tables)
    written = contents(tables)
    [ends] = pd.read_csv(tables / "keyword_supernet.csv").itertuples()
    log = read_json(tmp_path / "runs" / "kws-mbconv" / "log.json")
    assert (ends.largest, ends.smallest) == tuple(round(100 * log[-1][name], 2) for name in ("largest", "smallest"))
    rows = pd.read_csv(tables / "keyword_search.csv")
    found = [f"mbconv-{way}-mfcc20-5" for way in ("alone", "tuned")]
    assert sorted(zip(rows.net, rows.bits, strict=True)) == [
        (net, bits) for net in (*found, "pless-mfcc20-5") for bits in (8, 32)
    ]
    assert rows.macs.max() == rows.macs[rows.net == "pless-mfcc20-5"].min()
    assert rows.macs[rows.net.isin(found)].nunique() == 1
    names = [row[0] for row in keyword_search.table_of_networks(results_in(tables))[1]]
    assert sorted(names) == sorted(keyword_search.NAMES[net] for net in rows.net.unique())
    keyword_search.STUDY.start(options, folder=tables)
    assert contents(tables) == written
