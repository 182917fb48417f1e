"""Putting models into hubs and taking them out: checked, with figures as they are now."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from supernet.errors import InvalidQuery, MissingExtra
from supernet.extras import TRAINING, need
from zoo.hubs.address import is_remote, open_hub
from zoo.hubs.base import AnyHub
from zoo.hubs.costs import keep_own_figures
from zoo.keeping import Kept
from zoo.make.change import address_of, change, check_public, check_target
from zoo.make.names import warn_of_mixing
from zoo.make.renew import renewed
from zoo.make.verify import check_package
from zoo.package.read import Config, read_config

__all__ = ["publish", "unpublish"]

MEASURED = "measured.jsonl"
"""In the folder of a run of `publish`."""

log = logging.getLogger(__name__)


def publish(
    models: str | Path | Sequence[str | Path],
    hub: str | Path | AnyHub,
    *,
    data: str | Path | None = None,
    replaces: Callable[[Config], bool] | None = None,
    run_dir: str | Path | None = None,
    progress: bool = False,
    public: bool = False,
) -> AnyHub:
    """Put packages into a hub, a folder or hf://OWNER/NAME@BRANCH, made where there is none, and list them.

    Digests must hold, and test vectors on the integer evaluator. Costs, device figures and cards are made anew; data:
    what a model was trained on, to measure its accuracy on validation and test again. Where the packages for that are
    not installed (extra `train`), models are published as they are, once their digests hold, with a warning in the log.
    replaces: which models of the hub are superseded. run_dir: a folder in which what was measured is kept, so that it
    is not measured again. public: for a repository that is made, which is private otherwise; the hub's `visibility`
    says what one is that was there. Returns the hub. Raises InvalidPackage, before anything is written, for a model
    that does not hold; HubUnavailable for a hub that refuses.
    """
    if data is not None:
        need(*TRAINING)
    folders = [Path(models)] if isinstance(models, (str, Path)) else [Path(model) for model in models]
    twice = [folder for folder, count in Counter(folder.resolve().name for folder in folders).items() if count > 1]
    if twice:
        raise InvalidQuery(f"model {twice[0]}: given twice; give each once")
    check_public(hub, public)
    for folder in folders:
        check_package(folder)
    check_target(hub, public)
    with tempfile.TemporaryDirectory() as staging:
        fresh = renewed(folders, Path(staging), data, Kept(run_dir and Path(run_dir) / MEASURED), progress)
        configs = [read_config(folder) for folder in fresh]
        _warn_of_mixing(configs, address_of(hub))
        _keep_own_figures(configs)
        gone = replaces and (lambda place, entry: replaces(place.config(entry)))
        return change(hub, fresh, gone, public=public)


def _warn_of_mixing(configs: list[Config], address: str) -> None:
    for config in configs:
        warn_of_mixing(config.values["task"], config.labels, None if is_remote(address) else address)


def _keep_own_figures(configs: list[Config]) -> None:
    """What models take on the user's own profiles, kept beside these."""
    try:
        keep_own_figures([(config.name, config.values["task"], config.arch) for config in configs])
    except (MissingExtra, OSError) as error:
        log.warning("no figures on your own profiles (%s); `earshot profile costs` computes them", error)


def unpublish(names: str | Sequence[str], hub: str | Path | AnyHub) -> AnyHub:
    """Take models out of a hub: first out of its index, then their folders. Returns the hub.

    Raises UnknownName, and takes none, where one of the names is not there.
    """
    names = [names] if isinstance(names, str) else list(names)
    place = open_hub(address_of(hub))
    for name in names:
        place.entry(name)
    return change(hub, [], lambda place, entry: entry.name in names)
