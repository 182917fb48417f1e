"""Test vectors of packages: made from samples in integers alone, and held bit for bit. No torch here.

    samples   (clips, samples) int16; after fewer than a clip has silence follows
    features  (clips, coefficients, frames) int8
    layers    (clips, layers) uint32, a checksum of what each layer gives, in their order
    logits    (clips, classes) int16
    stream    (answers, classes) int16 where the model can answer in a stream: of the first clip, twice without a reset

Checksums are CRC-32 (of zlib, PNG, Ethernet) over the integers of a clip as 16 bits, lowest byte first: frame by frame,
in each the rows of the map from the first, in each row the channels. Whoever computes layer by layer or frame by frame
finds the first layer that is wrong by them; they take four bytes where all integers would take as much as the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from zlib import crc32

import numpy as np

from supernet.families import family
from supernet.files import digest, tensors_to_bytes
from supernet.frontend.base import FrontEnd
from supernet.integer.runtime import IntegerNetwork
from zoo.package.read import STREAMED_CLIPS
from zoo.run.stream import Stream

__all__ = ["difference", "vector_bytes", "vectors_of"]

CHUNKS = (1, 7, 160, 333, 4000)
"""Samples of the chunks in which streams are heard, over and over."""
Vectors = dict[str, np.ndarray]


def vector_bytes(frontend: FrontEnd, network: IntegerNetwork, samples: np.ndarray, model: bytes) -> bytes:
    """The `test_vectors.safetensors` of a package whose `model.safetensors` is `model`."""
    return tensors_to_bytes(vectors_of(frontend, network, samples), {"model": digest(model)})


def vectors_of(frontend: FrontEnd, network: IntegerNetwork, samples: np.ndarray) -> Vectors:
    """All that `test_vectors.safetensors` holds of samples (clips, samples) int16."""
    clips = _with_silence(frontend, network, samples)
    features = frontend.run(clips)
    outputs = network.run(features, keep=True)
    found = {
        "samples": samples,
        "features": features,
        "layers": np.stack([_checksums(outputs[spec.name]) for spec in network.specs], 1),
        "logits": outputs[network.specs[-1].name].astype(np.int16),
    }
    if family(network.arch.family).streamable:
        found["stream"] = _streamed(Stream(frontend, network), np.tile(clips[0], STREAMED_CLIPS))
    return found


def difference(frontend: FrontEnd, network: IntegerNetwork, vectors: Vectors) -> str | None:
    """What first differs from test vectors, in words, or None.

    Those of schema 1 have neither layers nor a stream, and were made by front ends in floating point: their features
    hold within a step, and the logits are those of the features that are stored.
    """
    if "layers" not in vectors:
        return _former_difference(frontend, network, vectors)
    found = vectors_of(frontend, network, vectors["samples"])
    wrong = (found["layers"] != vectors["layers"]).any(0)
    for name in ("features", "layers", "logits", "stream"):
        if name == "layers" and wrong.any():
            return f"layer {network.specs[int(wrong.argmax())].name}"
        if name in found and not np.array_equal(found[name], vectors[name]):
            return name
    return None


def _former_difference(frontend: FrontEnd, network: IntegerNetwork, vectors: Vectors) -> str | None:
    heard = frontend.run(_with_silence(frontend, network, vectors["samples"]))
    if np.abs(heard.astype(np.int16) - vectors["features"]).max() > 1:
        return "features"
    return None if np.array_equal(network(vectors["features"]), vectors["logits"]) else "logits"


def _with_silence(frontend: FrontEnd, network: IntegerNetwork, samples: np.ndarray) -> np.ndarray:
    """(clips, samples) -> whole clips."""
    return np.pad(samples, ((0, 0), (0, network.arch.frames * frontend.hop_samples - samples.shape[1])))


def _checksums(values: np.ndarray) -> np.ndarray:
    """(clips,) uint32 of (clips, channels, height, frames), or of logits (clips, classes)."""
    maps = values if values.ndim == 2 else values.transpose(0, 3, 2, 1)
    return np.array([crc32(clip.astype("<i2").tobytes()) for clip in maps], np.uint32)


def _streamed(stream: Stream, samples: np.ndarray) -> np.ndarray:
    return np.concatenate(list(stream.answers(_chunks(samples))))


def _chunks(samples: np.ndarray) -> Iterator[np.ndarray]:
    first = 0
    for size in cycle(CHUNKS):
        if first >= len(samples):
            return
        yield samples[first : first + size]
        first += size
