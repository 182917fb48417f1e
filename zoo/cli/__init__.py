"""The command line: one file a group of commands."""

from __future__ import annotations

from zoo.cli.commands import main

__all__ = ["main"]
