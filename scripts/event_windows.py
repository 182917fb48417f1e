"""Is a clip of an acoustic event heard better as a whole, or by windows of it whose answers are averaged?

    python scripts/event_windows.py ../shared/data/esc50

Takes the networks of the hub's models of a task as slices of their supernet. The same weights hear whole clips, or
shorter windows, each half a window on from the one before, on which the norms are measured too; probabilities are
averaged over a clip. Rows, on validation alone: `event_windows.csv` in `scripts/results`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from results import add_row
from torch import Tensor, nn

import zoo
from supernet.arch import Arch
from supernet.cost import params
from supernet.data.augment import plain_features
from supernet.data.esc50 import load
from supernet.nn.network import Network, recalibrate
from supernet.nn.store import load_supernet
from supernet.nn.supernet import Supernet
from supernet.train.calibration import calibration_features
from supernet.train.evaluate import accuracy

TABLE, WINDOWS_MS, CALIBRATED = "event_windows", (5000, 2500, 1000), 256


class ByWindows(nn.Module):
    """A slice of a supernet that answers with its mean over windows of `window_ms`, each half of that apart."""

    def __init__(self, supernet: Supernet, arch: Arch, calibration: Tensor, window_ms: int) -> None:
        super().__init__()
        self.frames = calibration.shape[2] * window_ms // supernet.space.clip_ms
        self.network = Network(replace(arch, frames=window_ms // arch.features.step_ms))
        self.network.load_state_dict(supernet.slices(arch).state_dict())
        recalibrate(self.network, self.windows(calibration).flatten(0, 1)).eval()

    def windows(self, x: Tensor) -> Tensor:
        """(clips, coefficients, frames) -> (windows, clips, coefficients, frames of a window)."""
        return x.unfold(2, self.frames, max(1, self.frames // 2)).permute(2, 0, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(clips, coefficients, frames) -> probabilities (clips, classes)."""
        return torch.stack([self.network(window).softmax(1) for window in self.windows(x)]).mean(0)


def main() -> None:
    """Measure each network with each length of window."""
    options = _options()
    torch.set_num_threads(options.threads)
    stored, data = load_supernet(options.supernet, options.task), load(options.data)
    hub = zoo.open_hub(options.supernet.parent.parent)
    archs = [hub.config(entry).arch.without_bits() for entry in zoo.find(options.task, hub=hub)]
    split, calibration = data.splits["validation"], calibration_features(data, stored.frontend, CALIBRATED)
    features = plain_features(data, split.rows, stored.frontend)
    for arch in dict.fromkeys(archs):
        shares = {}
        for window_ms in WINDOWS_MS:
            network = ByWindows(stored.supernet, arch, calibration, window_ms)
            shares[f"windows_{window_ms}_ms"] = round(100 * accuracy(network, features, split.targets), 2)
        add_row(TABLE, {"network": arch.digest[:12]}, {"params": params(arch), **shares})
        print(f"{params(arch):,} parameters", shares, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of ESC-50")
    parser.add_argument("--supernet", type=Path, default=Path("zoo/hub/supernets/aec-mbconv"), help="its folder")
    parser.add_argument("--task", default="aec", help="name of the task (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="of the processor (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    with torch.no_grad():
        main()
