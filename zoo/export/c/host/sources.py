"""A model as C for this processor: the same structure, calls and integers, faster."""

from __future__ import annotations

from pathlib import Path

from zoo.export.c.host.mel import front_end_text
from zoo.export.c.host.ops import HOST_OPERATORS, span_of
from zoo.export.c.host.text import host_source
from zoo.export.c.ops.base import Operator, Step
from zoo.export.c.write import Sources

__all__ = ["HostSources", "host_sources"]

INFO = Path("/proc/cpuinfo")


class HostSources(Sources):
    """The C of a model for processors with AVX2."""

    def _of(self, step: Step) -> Operator:
        return HOST_OPERATORS.get(step.spec.kind) or super()._of(step)

    def _function(self, name: str) -> str:
        return host_source(name) or super()._function(name)

    def _features_text(self) -> str:
        return front_end_text(self._written, self.frontend)

    @property
    def _work(self) -> dict[str, int]:
        dense = [spec for spec in self.specs if spec.has_weights and not spec.depthwise]
        return super()._work | {"SPAN": max(map(span_of, dense))}


def host_sources(sources: Sources) -> Sources:
    """The same for this processor, where there is such C for it."""
    kind = HostSources if _has_avx2() else Sources
    return kind(sources.network, sources.frontend, sources.detector, sources.grids, sources.name)


def _has_avx2() -> bool:
    return INFO.is_file() and "avx2" in INFO.read_text(errors="replace").split()
