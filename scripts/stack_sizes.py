"""Measure the stack that a call of each bundled model's C takes, and write `zoo/export/c/stack.json`.

    python scripts/stack_sizes.py            # those that are not there yet
    python scripts/stack_sizes.py --again    # all

Each runs its known answers on an emulated Cortex-M4, whose stack is painted before a call and looked at behind it.
"""

from __future__ import annotations

import argparse
import logging
import sys

from supernet.files import read_json, write_json
from zoo import Model
from zoo.export.c.emulator import COUNTING, check, version
from zoo.export.c.stack import DIGITS, TABLE
from zoo.hubs.folder import BUNDLED


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="measure all")
    options = parser.parse_args()
    if lacking := COUNTING.missing():
        print(lacking, file=sys.stderr)
        return 1
    logging.disable(logging.WARNING)
    found = {} if options.again or not TABLE.is_file() else read_json(TABLE)["bytes"]
    for place in sorted((BUNDLED / "models").iterdir(), reverse=True):
        model = Model.from_folder(place)
        digest = model.arch.digest[:DIGITS]
        if digest not in found:
            found[digest] = check(model, COUNTING).stack_bytes
            print(f"{place.name}: {found[digest]:,} bytes", flush=True)
            write_json(TABLE, {"measured": f"emulated Cortex-M4, {version()}", "bytes": dict(sorted(found.items()))})
    return 0


if __name__ == "__main__":
    sys.exit(main())
