"""What tensors of a file are called."""

from __future__ import annotations

__all__ = ["FEATURES", "LOGITS", "SAMPLES"]

FEATURES, SAMPLES, LOGITS = "features", "samples", "logits"
