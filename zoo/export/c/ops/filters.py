"""Operator `filters` as C: a bank of filters over samples, rectified, averaged over frames and put in logarithms."""

from __future__ import annotations

from supernet.ops.filters import FLOOR_BITS, LOGARITHMS, SAMPLE_BYTES, fall, positions
from zoo.export.c.ops.base import Fields, Operator, Step, weighted
from zoo.export.c.text import Member

__all__ = ["OPERATOR"]


class Filters(Operator):
    """Frame by frame; the last samples are kept in a stream."""

    structure = """\
    const uint8_t *weights;
    const int32_t *bias, *multiplier;
    const uint8_t *shift;
    int32_t frames, samples, kept, taps, stride, places;    /* samples, places: of a frame; kept: before it */
    int32_t out_channels, fall, floor_bits, in_zero;        /* fall: of sizes, right, before the floor is added */
    int32_t bits, odd;                                      /* of weights */
    uint16_t logarithms[128];                               /* from one to two */
"""

    def functions(self, step: Step) -> tuple[str, ...]:
        """Its own, behind what unpacks weights."""
        return ("unpack", "words", "filters")

    def fields(self, step: Step) -> Fields:
        """Taps, sizes, and the table of logarithms."""
        spec = step.spec
        fields = weighted(step, list(step.tensors.weight[:, 0, :, 0]))
        fields |= {"frames": step.frames, "samples": _samples(step), "kept": _kept(step), "taps": spec.kernel[0]}
        fields |= {"stride": spec.stride[0], "places": positions(spec), "out_channels": spec.out_shape[0]}
        return {**fields, "fall": fall(spec), "floor_bits": FLOOR_BITS, "logarithms": tuple(LOGARITHMS.tolist())}

    def runs(self, step: Step) -> list[tuple[str, ...]]:
        """The filters, which keep what they look back on."""
        return [("filters", step.layer, f"self->{step.spec.name}", step.inputs[0], step.out)]

    def kept(self, step: Step) -> list[Member]:
        """Bytes of the last samples."""
        return [Member("int8_t", step.spec.name, SAMPLE_BYTES * _kept(step))]

    def work(self, step: Step) -> dict[str, int]:
        """The samples of a frame and those before it."""
        return {"HEARD": _kept(step) + _samples(step)}


def _kept(step: Step) -> int:
    return step.spec.operator.state_bytes(step.spec) // SAMPLE_BYTES


def _samples(step: Step) -> int:
    return step.spec.in_shape[1] // SAMPLE_BYTES


OPERATOR = Filters()
