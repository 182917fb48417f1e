"""Build the machine of a zoo's page (zoo/site/machine) as WebAssembly, and record its compiler beside it.

python scripts/make_wasm.py          # writes zoo/site/machine/earshot.wasm and earshot.json
python scripts/make_wasm.py --check  # ends with 1 where the same compiler builds other bytes
"""

from __future__ import annotations

import argparse
import json
import sys

from zoo.site.machine.binary import BINARY, RECORD
from zoo.site.machine.build import build_machine, compiler_version, record_of


def main() -> int:
    """Build, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is there")
    options = parser.parse_args()
    binary = build_machine()
    record = json.dumps(record_of(compiler_version(), binary), indent=1) + "\n"
    if options.check:
        same = (BINARY.read_bytes(), RECORD.read_text(encoding="utf-8")) == (binary, record)
        print("the same" if same else "other bytes: run scripts/make_wasm.py", file=sys.stderr)
        return int(not same)
    BINARY.write_bytes(binary)
    RECORD.write_text(record, encoding="utf-8")
    print(f"{BINARY}: {len(binary):,} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
