"""The part of the command `earshot` that writes the web page of a zoo, and serves it here: `page`."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

import zoo
from supernet.errors import InvalidQuery
from zoo.export import EXPORTS

__all__ = ["add_page_command"]

PAGE_HELP = """\
Write the web page of a hub: find a model by limits, look at it, try it, take it.

  earshot page --out site                       of your own hub and the bundled one; open site/index.html
  earshot page --hub my-hub --out site          of one hub, for a team or as a static space
  earshot page --serve                          on this machine alone, where the page may ask for the microphone
  earshot page --out site --exports             without exports, which take half a second a model

The page is a folder of plain files that needs no network, no server and no build step, and asks nobody for anything.
Its look-ups give what `earshot get` gives. The address of a look-up holds its limits, so it can be sent. A page that
was written before is replaced whole; a folder that holds anything else is left alone.
"""
PORT = 8765


def add_page_command(commands, command, add_hub) -> None:
    """Add the command to a parser. command: makes one; add_hub: adds the option of which hub is asked."""
    sub = command(commands, "page", _page, PAGE_HELP, "a web page of a hub, offline")
    add_hub(sub)
    sub.add_argument("--out", metavar="DIR", help="the folder, made or replaced (with --serve: default one of its own)")
    sub.add_argument(
        "--exports", nargs="*", choices=EXPORTS.names, metavar="KIND",
        help=f"downloads of each model beside its package: {', '.join(EXPORTS.names)} (default: all; without: none)",
    )  # fmt: skip
    sub.add_argument("--serve", action="store_true", help="serve it on 127.0.0.1 until Ctrl-C, for the microphone")
    sub.add_argument("--port", type=int, help=f"with --serve; 0 for any that is free (default: {PORT})")


def _page(options: argparse.Namespace) -> None:
    if options.out is None and not options.serve:
        raise InvalidQuery("page needs --out DIR, or --serve")
    if options.port is not None and not options.serve:
        raise InvalidQuery(f"port = {options.port} is of --serve; give that as well, or leave it out")
    with ExitStack() as stack:
        out = options.out or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "page"
        place = zoo.page(out, hub=options.hub, exports=options.exports, progress=True)
        if options.serve:
            _serve(place, options)
        else:
            _say(options, {"out": str(place), "page": str(place / "index.html")}, str(place / "index.html"))


def _serve(place: Path, options: argparse.Namespace) -> None:
    from zoo.site.serve import LOOPBACK, server

    with server(place, PORT if options.port is None else options.port) as serving:
        address = f"http://{LOOPBACK}:{serving.server_port}/"
        _say(options, {"out": str(place), "page": address}, address)
        print("earshot: served to this machine alone, until Ctrl-C", file=sys.stderr)
        with suppress(KeyboardInterrupt):
            serving.serve_forever()


def _say(options: argparse.Namespace, values: dict, text: str) -> None:
    print(json.dumps(values, indent=1) if options.format == "json" else text, flush=True)
