"""Parts of JSON schemas: what values of networks and front ends may be, in words and numbers. No torch here."""

from __future__ import annotations

__all__ = ["listing", "real", "record", "whole"]


def whole(title: str, description: str, low: int, high: int, **more: int) -> dict:
    """Of a whole number within limits."""
    return {**_about(title, description), "type": "integer", "minimum": low, "maximum": high, **more}


def real(title: str, description: str, low: float, high: float) -> dict:
    """Of a number within limits."""
    return {**_about(title, description), "type": "number", "minimum": low, "maximum": high}


def listing(title: str, description: str, most: int, item: dict, least: int = 1) -> dict:
    """Of a list of `least` to `most` items."""
    return {**_about(title, description), "type": "array", "minItems": least, "maxItems": most, "items": item}


def record(properties: dict, optional: tuple[str, ...] = ()) -> dict:
    """Of an object with these properties and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "additionalProperties": False, "properties": properties}


def _about(title: str, description: str) -> dict:
    return {"title": title, "description": description}
