"""Time a part of Earshot on this machine.

    python scripts/bench.py                  # all benches, with their questions
    python scripts/bench.py lookup --help    # what one does, and its options
    python scripts/bench.py lookup

Those that write rows put them into `scripts/results/`, in the place of the ones that are there.
"""

import sys

from studies.base import BENCHES, main

if __name__ == "__main__":
    main(BENCHES, __doc__, sys.argv[1:])
