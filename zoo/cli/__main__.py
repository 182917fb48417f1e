"""`python -m zoo.cli`, which is `earshot`."""

import sys

from zoo.cli import main

if __name__ == "__main__":
    sys.exit(main())
