"""A made-up model of an index, for tests of look-ups and lists."""

from zoo.package.entry import Entry


def entry(name: str, **changes) -> Entry:
    """One whose figures do not matter, but for what is given."""
    values = {
        "name": name, "task": "kws", "family": "temporal", "bits": 8, "activation_bits": 8, "macs": 1000, "params": 100,
        "frontend_macs": 10, "weight_bytes": 100, "flash_bytes": 100, "stream_ram_bytes": 100, "clip_ram_bytes": 200,
        "streamable": True, "dataset": "words", "validation": 0.9, "test": 0.9, "basis": "measured",
        "licence": "cc-by-4.0", "config_sha256": "0" * 64,
    }  # fmt: skip
    return Entry(**{**values, **changes})
