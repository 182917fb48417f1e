"""Training: what a step samples, that it learns, and that a killed run ends like one that was not."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from supernet.bits import with_bits
from supernet.data.augment import Augmentation, plain_features
from supernet.data.clips import Split
from supernet.errors import Diverged, InvalidCheckpoint, InvalidData, UnknownName
from supernet.files import load_tensors, read_json, write_json
from supernet.metrics import accuracy_interval, mean_average_precision
from supernet.nn.frontend import quantise_features, torch_twin
from supernet.nn.network import Network, recalibrate
from supernet.nn.store import load_supernet, round_to_half, save_supernet
from supernet.nn.supernet import Supernet
from supernet.quant.fake import FakeQuantNetwork
from supernet.space import default_space
from supernet.train import precision, supernets
from supernet.train.calibration import calibration_features, fit_frontend
from supernet.train.evaluate import predict
from supernet.train.loop import weights_digest
from supernet.train.losses import distillation_loss, label_loss
from supernet.train.networks import Learner, train_network, train_together
from supernet.train.objective import prior_shift, silence_shift
from supernet.train.recipe import PROGRESSIVE_SHRINKING, Recipe, SupernetRecipe, learning_rate
from supernet.train.supernets import draw_archs, train_supernet
from zoo.make.pipeline import with_silence

RECIPE = SupernetRecipe(epochs=6, batch=8, learning_rate=1e-2, warmup=0.1, sandwich=True)


ABOUT = {"licence": "cc-by-4.0", "attribution": "", "training": {}}


class Killed(Exception):
    pass


def weights(supernet: Supernet) -> torch.Tensor:
    return torch.cat([parameter.detach().ravel() for parameter in supernet.parameters()])


@pytest.fixture(scope="module")
def frontend(speech_data):
    return fit_frontend(speech_data, 1)


@pytest.fixture(scope="module")
def trained(speech_data, frontend, small_space, tmp_path_factory):
    supernet = Supernet(small_space, calibration_features(speech_data, frontend, 22))
    return train_supernet(supernet, speech_data, frontend, RECIPE, tmp_path_factory.mktemp("run"), progress=False)


def test_a_step_trains_the_largest_the_smallest_and_two_more():
    whole = default_space("temporal", 12)
    archs = draw_archs(whole, RECIPE, 0.9, np.random.default_rng(0))
    assert archs[:2] == [whole.largest(), whole.smallest()]
    assert len(archs) == 4
    with pytest.raises(ValueError, match="random = 0 without a sandwich"):
        dataclasses.replace(RECIPE, sandwich=False, random=0)
    alone = dataclasses.replace(RECIPE, sandwich=False)
    assert draw_archs(whole, alone, 0.9, np.random.default_rng(0)) == archs[2:]


def test_progressive_shrinking_widens_the_sampled_range(small_space):
    recipe = dataclasses.replace(RECIPE, phases=PROGRESSIVE_SHRINKING)
    assert draw_archs(small_space, recipe, 0.0, np.random.default_rng(0)) == [small_space.largest()]
    sizes = [small_space.shrink(set(phase.elastic)).size for phase in recipe.phases]
    assert sizes == sorted(sizes)
    assert sizes[0] == 1
    assert sizes[-1] == small_space.size


@pytest.mark.parametrize("sandwich", [True, False])
def test_a_step_sums_the_gradients_of_its_networks(small_space, sandwich):
    """Against the losses written out: labels for the first, its outputs for the others, or labels for all."""
    recipe = dataclasses.replace(RECIPE, sandwich=sandwich, bfloat16=False)
    generator = torch.Generator().manual_seed(0)
    x, targets = torch.randn(8, 20, 100, generator=generator), torch.arange(8) % 4
    archs = draw_archs(small_space, recipe, 0.5, np.random.default_rng(1))
    first, second = Supernet(small_space).train(), Supernet(small_space).train()
    supernets.train_step(first, archs, x, targets, recipe)
    logits = [second(x, arch) for arch in archs]
    goal = logits[0].detach().softmax(1)
    labels = [torch.nn.functional.cross_entropy(item, targets, label_smoothing=0.1) for item in logits]
    soft = [-(goal * item.log_softmax(1)).sum(1).mean() for item in logits]
    torch.stack([labels[0], *(soft if sandwich else labels)[1:]]).sum().backward()
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-4, atol=1e-6)


def test_bfloat16_steps_have_nearly_the_gradients_of_float32(small_space, monkeypatch):
    monkeypatch.setattr(precision, "computes_bfloat16", lambda device_type: True)
    x, targets = torch.randn(32, 20, 100, generator=torch.Generator().manual_seed(0)), torch.arange(32) % 4
    gradients = []
    for half in (False, True):
        supernet = Supernet(small_space).train()
        recipe = dataclasses.replace(RECIPE, bfloat16=half)
        supernets.train_step(supernet, [small_space.largest()], x, targets, recipe)
        gradients.append(torch.cat([parameter.grad.ravel() for parameter in supernet.parameters()]))
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.99
    assert not torch.equal(*gradients)


@pytest.mark.parametrize(("flag", "computes"), [("avx512_bf16", True), ("amx_bf16", True), ("avx2", False)])
def test_processors_without_instructions_for_bfloat16_compute_in_float32(flag, computes, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: flag == "avx512_bf16")
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: flag == "amx_bf16")
    precision.computes_bfloat16.cache_clear()
    with precision.autocast(SupernetRecipe(bfloat16=True), torch.device("cpu")):
        assert torch.is_autocast_enabled("cpu") is computes
    with precision.autocast(SupernetRecipe(bfloat16=False), torch.device("cpu")):
        assert not torch.is_autocast_enabled("cpu")
    precision.computes_bfloat16.cache_clear()


def test_training_learns_at_both_ends_of_the_space(trained, speech_data, frontend):
    """Tones of three frequencies and noise: chance is a quarter."""
    from supernet.data.augment import plain_features
    from supernet.train.evaluate import accuracy

    split = speech_data.splits["train"]
    features = plain_features(speech_data, split.rows, frontend)
    for arch in (trained.space.largest(), trained.space.smallest()):
        assert accuracy(trained.extract(arch), features, split.targets) >= 0.9


def test_a_killed_run_resumes_and_ends_with_the_same_weights(
    trained, speech_data, frontend, small_space, tmp_path, monkeypatch
):
    calls = 0
    step = supernets.train_step

    def dies(*arguments):
        nonlocal calls
        calls += 1
        if calls == 8:
            raise Killed
        return step(*arguments)

    make = lambda: Supernet(small_space, calibration_features(speech_data, frontend, 22))  # noqa: E731
    monkeypatch.setattr(supernets, "train_step", dies)
    with pytest.raises(Killed):
        train_supernet(make(), speech_data, frontend, RECIPE, tmp_path, progress=False)
    resumed = train_supernet(make(), speech_data, frontend, RECIPE, tmp_path, progress=False)
    assert torch.equal(weights(resumed), weights(trained))
    assert calls > 8


def test_a_folder_of_another_run_is_refused(speech_data, frontend, small_space, tmp_path):
    once = dataclasses.replace(RECIPE, epochs=1)
    train_supernet(Supernet(small_space), speech_data, frontend, once, tmp_path, progress=False)
    other = dataclasses.replace(speech_data, digest="other")
    for supernet, data, recipe, named in (
        (Supernet(small_space), speech_data, RECIPE, rf"recipe\.epochs is {RECIPE.epochs}, was 1"),
        (Supernet(small_space, seed=5), speech_data, once, "start differs"),
        (Supernet(small_space), other, once, "data differs"),
    ):
        with pytest.raises(InvalidCheckpoint, match=rf"another run \({named}\)"):
            train_supernet(supernet, data, frontend, recipe, tmp_path, progress=False)


@pytest.mark.parametrize("what", ["a byte", "half", "the recipe"])
def test_a_damaged_run_is_told_with_what_to_do(speech_data, frontend, small_space, tmp_path, what):
    once = dataclasses.replace(RECIPE, epochs=1)
    train_supernet(Supernet(small_space), speech_data, frontend, once, tmp_path, progress=False)
    path = tmp_path / ("recipe.json" if what == "the recipe" else "checkpoint.safetensors")
    data = bytearray(path.read_bytes())
    data[-1000] ^= 1
    path.write_bytes({"a byte": data, "half": data[: len(data) // 2], "the recipe": b"{"}[what])
    with pytest.raises(InvalidCheckpoint, match=rf"{path.name}: .*; delete the folder {tmp_path} to start again"):
        train_supernet(Supernet(small_space), speech_data, frontend, once, tmp_path, progress=False)


def test_the_log_survives_a_kill_between_checkpoint_and_log(speech_data, frontend, small_space, tmp_path):
    once = dataclasses.replace(RECIPE, epochs=2)
    for _ in range(2):
        train_supernet(Supernet(small_space), speech_data, frontend, once, tmp_path, progress=False)
        assert len(read_json(tmp_path / "log.json")) == 2
        write_json(tmp_path / "log.json", [])


def test_too_few_clips_and_a_loss_that_is_no_number_are_named(
    speech_data, frontend, small_space, tmp_path, monkeypatch
):
    wide = dataclasses.replace(RECIPE, batch=99)
    with pytest.raises(InvalidData, match="batch of 99"):
        train_supernet(Supernet(small_space), speech_data, frontend, wide, tmp_path / "a", progress=False)
    monkeypatch.setattr(supernets, "train_step", lambda *arguments: torch.tensor(float("nan")))
    with pytest.raises(Diverged, match="lower the learning rate"):
        train_supernet(Supernet(small_space), speech_data, frontend, RECIPE, tmp_path / "b", progress=False)


def test_a_broken_checkpoint_is_named(speech_data, frontend, small_space, tmp_path):
    once = dataclasses.replace(RECIPE, epochs=1)
    train_supernet(Supernet(small_space), speech_data, frontend, once, tmp_path, progress=False)
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InvalidCheckpoint, match=r"checkpoint\.safetensors"):
        train_supernet(Supernet(small_space), speech_data, frontend, once, tmp_path, progress=False)


def test_the_learning_rate_rises_and_falls_to_zero():
    rates = [learning_rate(RECIPE, done) for done in np.linspace(0, 1, 101)]
    peak = int(np.argmax(rates))
    assert peak == 10
    assert rates[peak] == pytest.approx(RECIPE.learning_rate)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(0)


def test_features_have_mean_0_and_deviation_1_over_the_training_clips(speech_data, frontend):
    samples = torch.from_numpy(speech_data.audio[speech_data.splits["train"].rows].astype(np.float32) / 32768)
    values = torch_twin(frontend)(samples)
    torch.testing.assert_close(values.mean((0, 2)), torch.zeros(40), atol=1e-3, rtol=0)
    torch.testing.assert_close(values.std((0, 2)), torch.ones(40), atol=1e-3, rtol=0)


def test_wilsons_interval():
    """Figures of Wilson's formula computed by hand for 1,755 of 1,800, and its limits."""
    low, high = accuracy_interval(0.975, 1800)
    assert (round(low, 4), round(high, 4)) == (0.9667, 0.9813)
    assert accuracy_interval(1.0, 50)[1] == 1.0
    assert accuracy_interval(0.0, 50)[0] == 0.0


def test_a_supernet_comes_back_from_disk_the_same(trained, frontend, speech_data, tmp_path):
    info = {"name": "tiny", "licence": "cc-by-4.0", "attribution": "", "training": {}}
    save_supernet(tmp_path, trained, frontend, "words", speech_data.labels, info)
    stored = load_supernet(tmp_path, "words")
    x = torch.randn(4, 40, 100)
    arch = trained.space.smallest()
    assert stored.labels == speech_data.labels
    assert stored.frontend == frontend
    assert torch.equal(stored.supernet(x, arch), trained(x, arch))
    trunk = tmp_path / "trunk.safetensors"
    before = trunk.read_bytes()
    trunk.write_bytes(before[:-4] + b"\0\0\0\1")
    with pytest.raises(InvalidCheckpoint, match="trunk"):
        load_supernet(tmp_path, "words")
    trunk.write_bytes(before)
    with pytest.raises(UnknownName, match="did you mean words"):
        load_supernet(tmp_path, "word")
    config = json.loads((tmp_path / "config.json").read_text())
    for wrong in ({"about": "zz"}, {"about": {"notes": 5}}, {"about": {"limits": ["a\nb"]}}, {"licence": ["a"]}):
        (tmp_path / "config.json").write_text(json.dumps(config | wrong))
        with pytest.raises(InvalidCheckpoint, match="what it states of itself"):
            load_supernet(tmp_path, "words")


def test_weights_of_half_precision_take_half_the_bytes_and_come_back_the_same(
    small_space, frontend, speech_data, tmp_path
):
    supernet = Supernet(small_space, calibration_features(speech_data, frontend, 16), seed=1).eval()
    sizes = []
    for name in ("whole", "half"):
        save_supernet(tmp_path / name, supernet, frontend, "words", speech_data.labels, {"name": name, **ABOUT})
        sizes.append((tmp_path / name / "trunk.safetensors").stat().st_size)
        loaded = load_supernet(tmp_path / name, "words").supernet
        assert weights_digest(loaded) == weights_digest(supernet)
        assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
        round_to_half(supernet)
    assert sizes[1] < 0.6 * sizes[0]


@pytest.mark.parametrize("mixing", [0.0, 0.5])
def test_clips_of_several_labels_are_learned_and_ranked_by_average_precision(
    mixing, speech_data, frontend, small_space, tmp_path
):
    """Up, down, both or neither, of which the sounds are those of the clips; mixtures have the labels of both."""
    splits = {
        name: Split(split.rows, np.eye(4, dtype=np.float32)[split.targets])
        for name, split in speech_data.splits.items()
    }
    data = dataclasses.replace(speech_data, splits=splits, unknown=np.zeros(0, int), noise=[], silence_class=None)
    recipe = SupernetRecipe(epochs=12, batch=6, augmentation=Augmentation(mix_share=mixing))
    trained = train_supernet(
        Supernet(small_space, calibration_features(data, frontend, 16)), data, frontend, recipe, tmp_path, False
    )
    split = data.splits["train"]
    logits = predict(lambda x: trained(x, small_space.largest()), plain_features(data, split.rows, frontend)).numpy()
    assert mean_average_precision(logits, split.targets) > 0.8
    assert (logits[:, 2:] < 0).all()


@given(st.integers(0, 2**32 - 1))
def test_average_precision_is_the_mean_precision_at_each_clip_of_a_class(seed):
    """By its definition, one clip after the other; classes without clips do not count."""
    rng = np.random.default_rng(seed)
    scores = rng.permutation(36).reshape(12, 3).astype(float)
    targets = (rng.random((12, 3)) < rng.random(3)).astype(np.float32)
    wanted = []
    for column, truth in zip(scores.T, targets.T, strict=True):
        order = np.argsort(-column)
        found = [truth[order[: place + 1]].sum() / (place + 1) for place in range(12) if truth[order[place]]]
        wanted += [np.mean(found)] if found else []
    assert mean_average_precision(scores, targets) == pytest.approx(np.mean(wanted) if wanted else 0.0)


def test_a_network_with_dropout_resumes_and_ends_with_the_same_weights(speech_data, frontend, tmp_path):
    """Whatever torch's own generator was doing before."""
    recipe = Recipe(epochs=4, batch=8)
    ends = []
    for folder, stops in (("whole", [None]), ("killed", [2, None])):
        for stop in stops:
            torch.manual_seed(0)
            network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(4000, 4))
            torch.rand(len(folder))
            calls = iter(range(100))

            def calibrate(stop=stop, calls=calls):
                if next(calls) == stop:
                    raise Killed

            try:
                train_network(network, speech_data, frontend, recipe, tmp_path / folder, {}, calibrate, progress=False)
            except Killed:
                continue
        ends.append(network[2].weight.detach().clone())
    assert torch.equal(*ends)


def test_measuring_seldom_leaves_the_weights_as_they_are(speech_data, frontend, tmp_path):
    """Figures come after each third epoch and after the last, of a run that was killed too."""
    ends = {}
    for every, kills in ((1, []), (3, [1, 4])):
        for stop in (*kills, None):
            network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4000, 4))
            torch.nn.init.zeros_(network[1].weight)
            torch.nn.init.zeros_(network[1].bias)
            calls = iter(range(100))

            def calibrate(stop=stop, calls=calls):
                if next(calls) == stop:
                    raise Killed

            arguments = speech_data, frontend, Recipe(epochs=5, batch=8), tmp_path / str(every), {}, calibrate
            try:
                train_network(network, *arguments, progress=False, measure_every=every)
            except Killed:
                continue
        log = json.loads((tmp_path / str(every) / "log.json").read_text())
        ends[every] = [row["epoch"] + 1 for row in log if "validation" in row], network[1].weight, log[-1]["validation"]
    assert [ends[every][0] for every in (1, 3)] == [[1, 2, 3, 4, 5], [3, 5]]
    assert torch.equal(ends[1][1], ends[3][1])
    assert ends[1][2] == ends[3][2]


def test_a_teacher_has_its_share_of_the_loss(speech_data, frontend, tmp_path):
    """A student that learns a constant teacher alone ends near its outputs, whatever the labels."""
    teacher = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4000, 4))
    torch.nn.init.zeros_(teacher[1].weight)
    with torch.no_grad():
        teacher[1].bias.copy_(torch.tensor([2.0, 0.0, 0.0, 0.0]))
    student = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4000, 4))
    recipe = Recipe(epochs=20, batch=8, learning_rate=1e-2)
    train_network(
        student, speech_data, frontend, recipe, tmp_path, {}, lambda: None, teacher, distillation=1.0, progress=False
    )
    assert student(torch.zeros(1, 40, 100)).argmax().item() == 0


def test_networks_learn_together_what_each_learns_alone(speech_data, frontend, tmp_path):
    """Bit for bit, where gradients are clipped, outputs dropped, one has a teacher, and the run is killed midway."""
    recipe, teacher = Recipe(epochs=4, batch=8, clip_gradient=0.05), plain_network(7)
    alone, log = {}, {}
    for name, own in (("first", None), ("taught", teacher)):
        alone[name], run = plain_network(0), tmp_path / name
        train_network(
            alone[name], speech_data, frontend, recipe, run, {}, lambda: None, own, progress=False, measure_every=4
        )
        log[f"validation {name}"] = json.loads((run / "log.json").read_text())[-1]["validation"]
    for stop in (2, None):
        calls = iter(range(100))

        def calibrate(stop=stop, calls=calls):
            if next(calls) == stop:
                raise Killed

        learners = {
            name: Learner(plain_network(0), calibrate, own) for name, own in (("first", None), ("taught", teacher))
        }
        arguments = learners, speech_data, frontend, recipe, tmp_path / "both", {}
        if stop is None:
            train_together(*arguments, progress=False, measure_every=4)
        else:
            with pytest.raises(Killed):
                train_together(*arguments, progress=False, measure_every=4)
    for name, network in alone.items():
        assert torch.equal(network[2].weight, learners[name].network[2].weight)
    last = json.loads((tmp_path / "both" / "log.json").read_text())[-1]
    assert {name: last[name] for name in log} == log
    learners["first"].network[2].weight.data.fill_(torch.inf)
    with pytest.raises(Diverged, match="the loss of first is nan; lower the learning rate"):
        train_together(learners, speech_data, frontend, recipe, tmp_path / "wild", {}, progress=False)
    with pytest.raises(ValueError, match="parts = 2: networks are trained together on whole batches; give 1"):
        train_together(learners, speech_data, frontend, dataclasses.replace(recipe, parts=2), tmp_path / "parts", {})


def plain_network(seed: int) -> torch.nn.Module:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(4000, 4))


@pytest.mark.parametrize("several", [False, True])
def test_losses_are_those_of_the_definitions(several):
    """Cross entropy over classes, or of each class by itself, in float64."""
    generator = torch.Generator().manual_seed(0)
    logits, teacher = (torch.randn(6, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    values = logits.numpy()
    if several:
        targets = (torch.rand(6, 4, generator=generator) > 0.5).double()
        probabilities = 1 / (1 + np.exp(-values))
        soft = 1 / (1 + np.exp(-teacher.numpy()))
        smooth = 0.9 * targets.numpy() + 0.05

        def expected(goal):
            return -np.mean(goal * np.log(probabilities) + (1 - goal) * np.log(1 - probabilities))
    else:
        targets = torch.tensor([0, 3, 1, 1, 2, 0])
        probabilities = np.exp(values) / np.exp(values).sum(1, keepdims=True)
        soft = np.exp(teacher.numpy()) / np.exp(teacher.numpy()).sum(1, keepdims=True)
        smooth = 0.9 * np.eye(4)[targets.numpy()] + 0.1 / 4

        def expected(goal):
            return -np.mean((goal * np.log(probabilities)).sum(1))

    assert float(label_loss(logits, targets, 0.1, several)) == pytest.approx(expected(smooth), rel=1e-12)
    assert float(distillation_loss(logits, teacher, several)) == pytest.approx(expected(soft), rel=1e-12)


def test_what_hears_unknown_clips_more_often_answers_at_their_own_proportion(speech_data, frontend, tmp_path):
    """A network that hears nothing learns the proportions of an epoch: of 9, 9, 2 and 2 clips, not of 9, 9, 4 and 2."""

    class Deaf(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = torch.nn.Parameter(torch.zeros(4))

        def forward(self, x):
            return self.bias.expand(len(x), 4)

    recipe = Recipe(epochs=60, batch=24, learning_rate=0.3, label_smoothing=0.0, unknown=2)
    deaf = train_network(Deaf(), speech_data, frontend, recipe, tmp_path / "run", {}, lambda: None, progress=False)
    shares = deaf.bias.detach().softmax(0).numpy()
    np.testing.assert_allclose(shares, np.array([9, 9, 2, 2]) / 22, atol=0.01)
    assert prior_shift(speech_data, recipe).tolist() == pytest.approx([0, 0, np.log(2), 0])


def test_the_heads_bias_is_corrected_for_unknown_clips_drawn_more_often(speech_data, frontend, small_space, tmp_path):
    heads = []
    for epochs in (1, 1):
        supernet = Supernet(small_space, calibration_features(speech_data, frontend, 22))
        recipe = dataclasses.replace(RECIPE, epochs=epochs, unknown=2)
        train_supernet(supernet, speech_data, frontend, recipe, tmp_path / "run", progress=False)
        heads.append(supernet.network.layers["classifier"].bias.detach().clone())
    stored = load_tensors(tmp_path / "run" / "checkpoint.safetensors")[0]["weight:network.layers.classifier.bias"]
    assert torch.equal(*heads)
    np.testing.assert_allclose(heads[0].numpy() - stored, [0, 0, -np.log(2), 0], atol=1e-6)


def test_silence_is_as_likely_as_all_kinds_of_unknown_clips_together(speech_data, small_space):
    """Joins and other recordings are unknown, too; a bias of the integers says what the ratio is, and nothing else."""
    extra = speech_data.extra
    more = dataclasses.replace(speech_data, joins=2 * extra)
    assert silence_shift(speech_data, Recipe()) == silence_shift(speech_data, Recipe(unknown=2)) == 0
    assert silence_shift(more, Recipe()) == pytest.approx(np.log(3))
    assert silence_shift(more, Recipe(unknown=2)) == pytest.approx(np.log(4) - np.log(4 / 3))  # which is corrected
    assert silence_shift(dataclasses.replace(more, silence_class=None), Recipe()) == 0
    own = dataclasses.replace(speech_data, unknown=speech_data.unknown[:0], splits=more_unknown(speech_data))
    assert silence_shift(own, Recipe()) == 0  # however many recordings of other words are the user's own
    features = torch.randint(-100, 100, (8, 40, 100), generator=torch.Generator().manual_seed(0)) / 32
    arch = dataclasses.replace(small_space, classes=4).smallest()
    fake = FakeQuantNetwork(recalibrate(Network(arch, seed=2), features), with_bits(arch, 8)).calibrate(features)
    build = SimpleNamespace(data=more, recipe=Recipe())
    heard, plain = integers_of(features), fake.to_integer()
    moved, before = with_silence(build, fake)(heard).astype(int), plain(heard).astype(int)
    raised = before[:, 3] + np.log(3) / plain.activations[plain.specs[-1].name].scale
    assert np.abs(moved[:, 3] - np.minimum(raised, 2**15 - 1)).max() <= 2
    assert np.array_equal(moved[:, :3], before[:, :3])
    assert np.array_equal(fake.to_integer()(heard), plain(heard))


def integers_of(features: torch.Tensor) -> np.ndarray:
    return quantise_features(features).numpy()


def more_unknown(data) -> dict:
    """Its splits, with all other clips of training as recordings of the unknown class."""
    train, others = data.splits["train"], np.asarray(data.unknown)
    targets = np.concatenate([train.targets, np.full(len(others), data.unknown_class)])
    return {**data.splits, "train": Split(np.concatenate([train.rows, others]), targets)}
