"""The part of the command `earshot` that keeps hubs: `publish`, `unpublish`, `verify`, `sync` and `rebuild`."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import zoo
from supernet.errors import HubUnavailable
from zoo.cli.told import tell_warnings
from zoo.hubs.base import AnyHub
from zoo.keeping import command_run, options_of

__all__ = ["add_hub_commands"]

PUBLISH_HELP = """\
Put models into a hub: a folder, made where there is none, or a repository on the Hugging Face Hub.

  earshot publish runs/doors/packages/* --hub ./my-hub          what `earshot train --publish` made and did not publish
  earshot publish my-model --hub hf://me/my-hub                 as `hf auth login` or HF_TOKEN allows; made private
  earshot publish my-model --hub hf://me/my-hub --public        made public, where there is none yet
  earshot publish my-model --hub ./my-hub --data doors/         measures its accuracy again first

MODEL is the folder of a package. Its digests are checked and its test vectors run; costs, figures by device and the
card are made anew. Models are written first and the index last, so that nobody who reads meanwhile meets a half.
"""
UNPUBLISH_HELP = """\
Take models out of a hub, by their exact names.

  earshot unpublish doors-temporal-1M-w8a8-0123abcd --hub ./my-hub
"""
VERIFY_HELP = """\
Check every model of a hub, or one model: index, digests, configuration, and its test vectors by running them. The exit
status is 1 where something does not hold.

  earshot verify                          your own hub and the bundled one
  earshot verify ./my-hub
  earshot verify hf://me/my-hub@v1.0
  earshot verify ./my-model               the folder of a package
  earshot verify kws-temporal-0.3M-w4a8-9a0bfe28
"""
SYNC_HELP = """\
Copy to one hub what it lacks of another, byte for byte. Nothing is taken away.

  earshot sync ./my-hub hf://me/my-hub            upload; a repository is made where there is none, private
  earshot sync ./my-hub hf://me/my-hub --public   or public
  earshot sync hf://me/my-hub@v1.0 ./mirror       download, for places without a network
  earshot sync hf://me/my-hub ./mirror --task kws --name "*-w4a8-*"
"""
REBUILD_HELP = """\
Write the index of a hub in a folder anew from its models alone, each checked against its digests: after the index was
lost or altered, or written by an older version. With --renew models of an older version get what they lack first: test
vectors of each layer and of a stream, made from the samples of those that they have, and the size of their code in
costs and cards; their names, weights and accuracies stay.

  earshot rebuild ./my-hub
  earshot rebuild ./my-hub --renew
"""


def add_hub_commands(commands, command) -> None:
    """Add the commands to a parser. command: makes one of (subparsers, name, function, help, summary)."""
    sub = command(commands, "publish", _publish, PUBLISH_HELP, "put models into a hub")
    sub.add_argument("models", metavar="MODEL", nargs="+", help="the folder of a package")
    _add_hub(sub)
    sub.add_argument("--data", metavar="FOLDER", help="what they were trained on: accuracies are measured again")
    _add_public(sub)
    sub = command(commands, "unpublish", _unpublish, UNPUBLISH_HELP, "take models out of a hub")
    sub.add_argument("names", metavar="NAME", nargs="+", help="exactly as listed")
    _add_hub(sub)
    sub = command(commands, "verify", _verify, VERIFY_HELP, "check every model of a hub")
    sub.add_argument(
        "target",
        metavar="HUB|MODEL",
        nargs="?",
        help="address of a hub (default: yours and the bundled), folder of a package, or name of a model",
    )
    sub = command(commands, "sync", _sync, SYNC_HELP, "copy from hub to hub what is lacking")
    sub.add_argument("source", metavar="FROM", help="address of a hub")
    sub.add_argument("target", metavar="TO", help="address of a hub, made where there is none")
    sub.add_argument("--task", help="only models for it")
    sub.add_argument("--name", metavar="PATTERN", help='only models of such names, such as "*-w4a8-*"')
    sub.add_argument("--supernets", action="store_true", help="supernets too")
    _add_public(sub)
    sub = command(commands, "rebuild", _rebuild, REBUILD_HELP, "write the index of a hub anew")
    sub.add_argument("hub", metavar="HUB", help="its folder")
    sub.add_argument("--renew", action="store_true", help="bring vectors, costs and cards of older models up to date")


def _add_hub(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--hub", required=True, metavar="ADDRESS", help="a folder, or hf://OWNER/NAME@BRANCH")


def _add_public(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--public", action="store_true",
        help="make the hf:// repository public, where there is none yet (default: private; one that is there stays as "
        "it is)",
    )  # fmt: skip


def _publish(options: argparse.Namespace) -> None:
    tell_warnings()
    names, progress = [Path(model).resolve().name for model in options.models], sys.stderr.isatty()
    with command_run("publish", options_of(options)) as run:
        place = zoo.publish(
            options.models, options.hub, data=options.data, run_dir=run, progress=progress, public=options.public
        )
    seen = _seen(place)
    _say(options, {"hub": place.address, **seen, "published": names, "models": len(place.index)},
         f"published {len(names)}, {_named(place.address, seen)} lists {len(place.index)}")  # fmt: skip


def _unpublish(options: argparse.Namespace) -> None:
    place = zoo.unpublish(options.names, options.hub)
    seen = _seen(place)
    _say(options, {"hub": place.address, **seen, "unpublished": options.names, "models": len(place.index)},
         f"took {len(options.names)} away, {_named(place.address, seen)} lists {len(place.index)}")  # fmt: skip


def _seen(place: AnyHub) -> dict[str, str]:
    """Who can see a hub, where that is known."""
    with suppress(HubUnavailable):  # what was done is done
        return {"visibility": place.visibility} if place.visibility else {}
    return {}


def _named(address: str, seen: dict[str, str]) -> str:
    """An address, with who can see what is there."""
    return f"{address} ({seen['visibility']})" if seen else address


def _verify(options: argparse.Namespace) -> int:
    found = zoo.verify(options.target, progress=sys.stderr.isatty())
    wrong = [one for one in found if one.problem]
    lines = [f"{one.name}: {one.problem or 'holds'}" for one in found]
    lines.append(f"{len(found) - len(wrong)} of {len(found)} hold")
    _say(options, [asdict(one) for one in found], "\n".join(lines))
    return int(bool(wrong))


def _sync(options: argparse.Namespace) -> None:
    from zoo.make.sync import copied

    chosen = {"task": options.task, "name": options.name, "supernets": options.supernets, "public": options.public}
    names, place = copied(options.source, options.target, **chosen, progress=sys.stderr.isatty())
    seen = _seen(place) if place else {}
    told = f"copied {len(names)} to {_named(options.target, seen)}"
    address = place.address if place else options.target
    _say(options, {"hub": address, **seen, "copied": names}, "\n".join([*names, told]))


def _rebuild(options: argparse.Namespace) -> None:
    tell_warnings()
    place = zoo.rebuild(options.hub, renew=options.renew)
    _say(options, {"hub": place.address, "models": len(place.index)}, f"{place.address} lists {len(place.index)}")


def _say(options: argparse.Namespace, values, text: str) -> None:
    print(json.dumps(values, indent=1) if options.format == "json" else text)
