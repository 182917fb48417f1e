"""The scripts that compare: peers as published, tables that keep one row a run, intervals."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from supernet.frontend.mfcc import Mfcc
from supernet.nn.frontend import torch_twin


@pytest.mark.parametrize(
    ("name", "published_params", "published_macs"),
    [
        ("bc-resnet-1", 9.2e3, None),
        ("bc-resnet-2", 27.3e3, None),
        ("ds-cnn", 22_604 + 576, 2.66e6),
        ("tc-resnet8", 66e3, 1.5e6),
        ("pless-mfcc20-4", 172_668, 27.14e6),
        ("pless-mfcc20-5", 72_012, 14.46e6),
        ("mixednet", 25_068, 806_976),
    ],
)
def test_peers_have_the_parameters_and_macs_that_their_authors_state(name, published_params, published_macs):
    """MACs at 50 frames where the publication has 49 or 51; BC-ResNet's publication counts more than convolutions.

    DS-CNN's 22,604 count one value a channel of a norm, as its deployed form has, ours two.
    """
    from studies import peer_nets

    network = peer_nets.PEERS[name](12, Mfcc())
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(published_params, rel=0.02)
    if published_macs:
        assert peer_nets.macs(network) == pytest.approx(published_macs, rel=0.03)
    assert network.eval()(torch.randn(3, 40, 100)).shape == (3, 12)


def test_eight_bits_round_weights_and_tensors_and_keep_gradients():
    from studies import peer_nets

    torch.manual_seed(0)
    network = peer_nets.TcResNet8(12, Mfcc())
    x = torch.randn(16, 40, 100)
    network(x)
    exact = network.eval()(x)
    narrow = peer_nets.to_8_bits(network, x)
    close = narrow(x)
    assert not torch.equal(exact, close)
    assert (exact - close).abs().max() < 0.1 * exact.abs().max()
    stored = narrow.first(x)
    assert len(stored.unique()) <= 256
    weight = narrow.blocks[0][0].weight
    assert all(len(channel.unique()) <= 255 for channel in weight)
    close.sum().backward()
    assert narrow.blocks[0][0].parametrizations.weight.original.grad.abs().sum() > 0


def test_eight_bits_pass_gradients_up_to_the_ends_of_the_range():
    """Sums of stored values often lie on them."""
    from studies import peer_nets

    store = peer_nets.Store()
    store.range = torch.tensor([0.0, 255.0])
    x = torch.tensor([-1.0, 0.0, 0.4, 254.6, 255.0, 256.0], requires_grad=True)
    y = store(x)
    y.sum().backward()
    assert y.tolist() == [0.0, 0.0, 0.0, 255.0, 255.0, 255.0]
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 1.0, 0.0]


def test_the_log_mel_map_comes_back_from_all_coefficients():
    from studies import peer_nets

    samples = torch.randn(2, 16_000, generator=torch.Generator().manual_seed(0)) * 0.1
    frontend = Mfcc(mean=(1.0,) * 40, deviation=(2.0,) * 40)
    network = peer_nets.BcResNet(12, frontend)
    restored = network.to_log_mel @ torch_twin(frontend)(samples)
    centred = restored - restored.mean(2, keepdim=True)
    log_mel = torch_twin(frontend).log_mel(samples)
    torch.testing.assert_close(centred, log_mel - log_mel.mean(2, keepdim=True), rtol=1e-3, atol=1e-3)


def test_a_row_states_the_configuration_and_the_commit_of_its_run(tmp_path, monkeypatch):
    from studies import rows

    run = tmp_path / "run"
    rows.write_json(run / "recipe.json", {"epochs": 1})
    for commit in ("first", "second"):
        monkeypatch.setattr(rows, "_commit", lambda commit=commit: commit)
        rows.Rows(tmp_path).add("runs", {"net": "a"}, {"test": 1}, run)
    row = rows.Rows(tmp_path).read("runs").iloc[0]
    assert row.commit == "first"
    assert row.configuration == rows.digest({"epochs": 1})[:12]


def test_a_digest_stays_what_it_is_where_it_could_be_a_number(tmp_path, monkeypatch):
    from studies import rows

    monkeypatch.setattr(rows, "_commit", lambda: "0012345678")
    monkeypatch.setattr(rows, "digest", lambda recipe: "123456e78901" + "0" * 52)
    rows.write_json(tmp_path / "run" / "recipe.json", {})
    for seed in (0, 1):
        rows.Rows(tmp_path).add("runs", {"seed": seed}, {}, tmp_path / "run")
    table = rows.Rows(tmp_path).read("runs")
    assert table[["configuration", "commit"]].values.tolist() == [["123456e78901", "0012345678"]] * 2


def test_a_table_keeps_one_row_for_the_same_keys(tmp_path, monkeypatch):
    from studies import rows

    monkeypatch.setattr(rows, "_commit", lambda: "0123456789")
    for value in (1, 2):
        rows.Rows(tmp_path).add("runs", {"net": "a", "seed": 0}, {"test": value})
    rows.Rows(tmp_path).add("runs", {"net": "a", "seed": 1}, {"test": 3})
    table = rows.Rows(tmp_path).read("runs")
    assert table[["net", "seed", "test"]].to_numpy().tolist() == [["a", 0, 2], ["a", 1, 3]]
    assert table["commit"].notna().all()


def test_what_is_there_is_measured_again_only_where_that_is_asked_for(tmp_path):
    from studies.rows import NoRows, Rows

    first, kept, measured = Rows(tmp_path), tmp_path / "hits-test.npy", iter(range(9))
    for _ in range(2):
        first.once("runs", {"seed": 0}, lambda: {"test": next(measured)})
    assert first.read("runs").test.tolist() == [0]
    first.once("runs", {"seed": 0}, lambda: {"test": next(measured)}, kept=kept)
    assert first.read("runs").test.tolist() == [1]
    Rows(tmp_path, again=True).once("runs", {"seed": 0}, lambda: {"test": next(measured)})
    assert first.read("runs").test.tolist() == [2]
    assert first.done("runs", {"seed": 0})
    assert not first.done("runs", {"seed": 0}, {"seed": 1})
    assert not first.done("none", {"seed": 0})
    with pytest.raises(NoRows, match="none"):
        first.read("none")


def test_paired_bootstrap_is_narrow_where_the_same_clips_are_missed():
    """Against the normal interval of the paired differences."""
    from studies import rows

    rng = np.random.default_rng(0)
    first = rng.random((1, 2000)) < 0.9
    second = first & (rng.random((1, 2000)) < 0.98)
    difference, low, high = rows.paired_bootstrap(first, second)
    paired = 100 * (first.astype(float) - second)[0]
    reach = 1.96 * paired.std() / len(paired) ** 0.5
    assert difference == pytest.approx(paired.mean(), abs=0.01)
    assert (high - low) / 2 == pytest.approx(reach, rel=0.1)


def test_speakers_are_drawn_with_all_their_clips():
    """Ten speakers of 50 clips, each of which is all better or all worse: as wide as with one clip each."""
    from studies import rows

    better, speakers = np.repeat([True, False] * 5, 50), np.repeat(np.arange(10), 50)
    whole = rows.paired_bootstrap(better[None], ~better[None], groups=speakers)
    alone = rows.paired_bootstrap(better[None, ::50], ~better[None, ::50])
    assert whole[0] == alone[0] == 0
    assert whole[2] - whole[1] == pytest.approx(alone[2] - alone[1], rel=0.05)


def test_a_row_joins_a_table_of_before_that_lacks_a_key(tmp_path):
    from studies.rows import Rows

    rows = Rows(tmp_path)
    rows.add("schedules", {"schedule": "random", "minutes": 6}, {"mean": 1.0})
    for mean in (2.0, 3.0):
        rows.add("schedules", {"schedule": "random", "taught": "teacher", "minutes": 6}, {"mean": mean})
    assert sorted(rows.read("schedules")["mean"]) == [1.0, 3.0]


def test_each_width_starts_from_the_next_higher_one_and_runs_after_it():
    from studies import quantisation

    planned = quantisation.experiments()
    assert len({item.name for item in planned}) == len(planned)
    for number, item in enumerate(planned):
        if item.before:
            assert item.before in planned[:number]
            assert (item.network, item.before.method) == (item.before.network, "lsq")
            assert item.before.seed in (item.seed, 0)
            assert (item.weight_bits < item.before.weight_bits) == (item.method != "unrecalibrated")
    plain = [item for item in planned if item.network == "small" and item.seed == 0 and item.method == "lsq"]
    chain = [item for item in plain if item.start == "inherited"]
    starts = {item.weight_bits: item.before.weight_bits for item in chain if item.activation_bits == 8}
    assert starts == {4: 8, 3: 4, 2: 3, 1: 2, 6: 8, 5: 8}


def test_agreement_and_size_of_a_quantised_network(small_space):
    from studies import quantisation
    from supernet.bits import with_bits
    from supernet.integer.runtime import IntegerNetwork
    from supernet.nn.frontend import dequantise_features, quantise_features
    from supernet.nn.network import Network, recalibrate
    from supernet.quant.fake import FakeQuantNetwork

    stored = quantise_features(torch.randn(20, 40, 100, generator=torch.Generator().manual_seed(0)))
    network = recalibrate(Network(small_space.smallest()), dequantise_features(stored))
    fake = FakeQuantNetwork(network, with_bits(network.arch, 4, 6)).calibrate(dequantise_features(stored)).eval()
    integers = fake.to_integer()
    found = quantisation._agreement(fake, integers, stored)
    assert (found["same"], found["near"]) == (100.0, 100.0)
    assert found["same_float32"] > 90
    last = integers.tensors["classifier"]
    altered = {**integers.tensors, "classifier": replace(last, weight=last.weight[::-1].copy())}
    other = IntegerNetwork(integers.arch, altered, integers.activations)
    assert quantisation._agreement(fake, other, stored)["near"] < 100
    size = quantisation._size(fake.arch)
    assert size["mean_activations"] == 6.0
    assert 4.0 < size["mean_weights"] < 8.0


def test_the_tables_of_quantisation_hold_each_measurement_in_its_place(tmp_path):
    import pandas as pd

    from pages import draw
    from studies import quantisation
    from studies.rows import Rows

    shared = {"network": "small", "activations": 8, "float_test": 96.5, "flash_bytes": 20_000, "same": 100.0}
    shared |= {"same_float32": 99.9, "mean_weights": 4.6, "mean_activations": 8.0}
    rows = [
        {"method": "lsq", "start": "float", "weights": 8, "seed": 0, "test": 96.25},
        {"method": "lsq", "start": "inherited", "weights": 4, "seed": 0, "test": 96.0},
        {"method": "lsq", "start": "inherited", "weights": 4, "seed": 1, "test": 95.5},
        {"method": "lsq", "start": "float", "weights": 4, "seed": 0, "test": 94.0},
        {"method": "widths", "start": "float", "weights": 0, "activations": 0, "seed": 0, "test": 93.0},
        {"method": "widths", "start": "inherited", "weights": 0, "activations": 0, "seed": 0, "test": 94.5},
    ]
    small = pd.DataFrame([{**shared, **row} for row in rows])
    table = pd.concat([small, small[:1].assign(network="large", float_test=97.0, test=96.75)], ignore_index=True)
    keys = ["network", "method", "start", "weights", "activations"]
    losses = table.drop_duplicates(keys)[keys].assign(lost=[0.25, 0.75, 2.5, 3.5, 2.0, 0.3], low=0.1, high=0.9)
    table.to_csv(tmp_path / "quantisation.csv", index=False)
    losses.to_csv(tmp_path / "quantisation_intervals.csv", index=False)
    header, lines = quantisation.table_of_methods(Rows(tmp_path))
    cells = {(line[0], line[1]): line for line in lines}
    place = {bits: header.index(bits) for bits in ("8", "4", "learned")}
    assert cells["small", "LSQ, inherited"][place["4"]] == "95.75"
    assert cells["small", "LSQ, inherited"][place["8"]] == cells["small", "LSQ"][place["8"]] == "96.25"
    assert cells["small", "LSQ"][place["4"]] == "94.00"
    assert cells["small", "trained widths, then LSQ"][place["learned"]] == "93.00"
    assert cells["small", "trained widths, then LSQ, inherited"][place["learned"]] == "94.50"
    assert cells["large", "LSQ"][place["8"]] == "96.75"
    assert ("small", "float: 96.50") in cells
    _, lost = quantisation.table_of_losses(Rows(tmp_path))
    assert [line[6] for line in lost] == [
        "+0.25 (+0.10 to +0.90)",
        "+0.75 (+0.10 to +0.90)",
        "+2.00 (+0.10 to +0.90)",
        "+3.50 (+0.10 to +0.90)",
        "+0.30 (+0.10 to +0.90)",
    ]
    assert "96.00, 95.50" in lost[1]
    assert draw.svg(quantisation.picture(Rows(tmp_path))).count(b"<svg") == 1


def test_reductions_draw_the_clips_of_a_recording_together():
    """With one recording there is nothing to draw; with as many as clips it is a plain paired bootstrap."""
    from studies.event_claim import _reduction

    rng = np.random.default_rng(0)
    first, second = (rng.random(400) < share for share in (0.2, 0.3))
    exact = 100 * (1 - first.mean() / second.mean())
    assert _reduction(first, second, np.zeros(400)) == pytest.approx([exact] * 3, abs=0.06)
    value, low, high = _reduction(first, second, np.arange(400))
    drawn = np.random.default_rng(1).integers(0, 400, (4000, 400))
    wanted = np.percentile(100 * (1 - first[drawn].mean(1) / second[drawn].mean(1)), [2.5, 97.5])
    assert value == pytest.approx(exact, abs=0.06)
    assert (low, high) == pytest.approx(wanted, abs=1.5)


def test_marks_are_counted_by_whether_their_label_is_that_of_the_clip():
    """Of two clips, one is marked rightly while its score of 0.45 is enough, and one as something else besides."""
    from studies.event_marks import measure

    scores = [[0.45, 0.0], [0.35, 0.9]]

    class Model:
        labels, clip_ms, sampling_rate = ("dog", "rain"), 5000, 16000
        arch = SimpleNamespace(features=SimpleNamespace(step_ms=20))

        def __call__(self, samples, rate):
            return [{"label": self.labels[int(np.argmax(scores[round(32768 * samples[0])]))]}]

        def event_scores(self, samples, hop, floor_db):
            return np.array([scores[round(32768 * samples[0])]] * 2), [(0.0, 5.0), (0.5, 5.5)]

    split = SimpleNamespace(rows=np.array([0, 1]), targets=np.array([0, 1]))
    data = SimpleNamespace(labels=Model.labels, audio=np.array([[0], [1]], np.int16), splits={"validation": split})
    found = {threshold: (row["marked"], row["others"]) for threshold, row in measure(Model(), data).items()}
    assert found == {0.2: (100, 0.5), 0.3: (100, 0.5), 0.4: (100, 0), 0.5: (50, 0), 0.7: (50, 0)}
    assert measure(Model(), data)[0.5]["named"] == 100
