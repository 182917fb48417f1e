"""Registries: what a package offers by name, one module each, imported when it is first asked for.

Families, operators and front ends are such packages. Their modules import what they build on; whoever asks for one by
its name imports none of them, so dependencies stay one-way.
"""

from __future__ import annotations

from importlib import import_module
from typing import Generic, TypeVar

from supernet.errors import UnknownName, nearest_names

__all__ = ["Registry"]

Entry = TypeVar("Entry")


class Registry(Generic[Entry]):
    """The entries of a package by name: `registry("NAME")` is the attribute `attribute` of `package.NAME`.

    what: one of them in words, for errors.
    """

    def __init__(self, package: str, what: str, attribute: str, modules: tuple[str, ...]) -> None:
        self._place, self._what, self._modules = (package, attribute), what, modules
        self._known: dict[str, Entry] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, those of the package first."""
        return *self._modules, *(name for name in self._known if name not in self._modules)

    def __call__(self, name: str) -> Entry:
        """The entry of that name. Raises UnknownName."""
        if name not in self._known:
            if name not in self._modules:
                raise UnknownName(f"unknown {self._what} {name!r}: {nearest_names(name, self.names)}")
            package, attribute = self._place
            self._known[name] = getattr(import_module(f"{package}.{name}"), attribute)
        return self._known[name]

    def register(self, name: str, entry: Entry) -> None:
        """Add an entry from elsewhere. Raises ValueError for a name that is taken."""
        if name in self.names:
            raise ValueError(f"{self._what} {name!r} is registered already; give another name")
        self._known[name] = entry

    def forget(self, name: str) -> None:
        """Take out an entry that `register` added."""
        if name in self._modules:
            raise ValueError(f"{self._what} {name!r} is Earshot's own and stays")
        self._known.pop(name)
