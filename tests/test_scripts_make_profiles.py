"""The bundled profiles come from a table of published measurements; networks without stated MACs are counted."""

import importlib.util
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from predictors.device import BUNDLED, published, read_measurements
from predictors.settings import device_limits

SPEC = importlib.util.spec_from_file_location(
    "make_profiles", Path(__file__).parent.parent / "scripts" / "make_profiles.py"
)
make_profiles = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make_profiles)


def counted(layers: list, x: torch.Tensor) -> tuple[int, int]:
    """MACs and parameters of layers of torch, run on a clip."""
    macs = 0
    with torch.no_grad():
        for layer in layers:
            x = layer(x)
            macs += layer.weight.numel() * (x[0, 0].numel() if x.ndim == 4 else 1)
    return macs, sum(p.numel() for layer in layers for p in layer.parameters())


def test_well_known_networks_are_counted_as_torch_counts_them():
    small = [nn.Conv2d(1, 64, (10, 4), 2, (5, 1))]
    for _ in range(4):
        small += [nn.Conv2d(64, 64, 3, padding=1, groups=64), nn.Conv2d(64, 64, 1)]
    found = {name: (sum(u * w for u, w, _ in own), sum(w + b for _, w, b in own))
             for name, own in make_profiles.KNOWN.items()}  # fmt: skip
    macs, params = counted(small, torch.zeros(1, 1, 49, 10))
    assert found["tigris DS-CNN (kws)"] == (macs + 64 * 12, params + 65 * 12)
    mobile, before = [nn.Conv2d(1, 8, 3, 2, 1)], 8
    for stride, after in zip(
        (1, 2, 1, 2, 1, 2, *[1] * 5, 2, 1), (16, 32, 32, 64, 64, *[128] * 6, 256, 256), strict=True
    ):
        mobile += [nn.Conv2d(before, before, 3, stride, 1, groups=before), nn.Conv2d(before, after, 1)]
        before = after
    macs, params = counted(mobile, torch.zeros(1, 1, 96, 96))
    assert found["TFLM person_detection 96x96 (250 KB)"] == (macs + 256 * 2, params + 257 * 2)


def test_boards_of_no_other_rows_have_profiles_and_what_they_have_is_known():
    found = {name: one for name, one in published().items() if name.startswith("esp32")}
    assert {one.device for one in found.values()} == {"ESP32", "ESP32-S3", "ESP32-C3", "ESP32-P4"}
    assert all(set(device_limits(one.settings)) == {"max_flash", "max_ram"} for one in found.values())
    rows = read_measurements(BUNDLED / "published.csv").rows
    own = rows[rows["device_key"] == "ESP32-S3"].set_index("model")
    assert (own.loc["tigris DS-CNN (kws)", "macs"] == 2_656_768).all()
    assert own.loc["TFLM person_detection 96x96 (250 KB)", "latency_ms"] == 54


def test_stated_macs_stay(tmp_path):
    name = "tigris DS-CNN (kws)"
    table = pd.DataFrame({"model": [name, name, "x"], "macs": ["", "7", ""], "ops": "", "params": "",
                          "device_key": "ESP32", "runtime": "TFLM"})  # fmt: skip
    table.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "out").mkdir()
    path = make_profiles._with_known(tmp_path / "rows.csv", tmp_path / "out")
    assert pd.read_csv(path, dtype=str, keep_default_na=False)["macs"].tolist() == ["2656768", "7", ""]
