"""Ask one of the questions that the pages answer, and write the rows of results that answer it.

    python scripts/study.py                               # all studies, with their questions
    python scripts/study.py claim --help                  # what one does, and its options
    python scripts/study.py claim ../shared/data/speech_commands

Rows go to `scripts/results/NAME.csv`, and `python scripts/docs.py` shows them in the pages. Rows that are there are not
measured again, and training goes on where it was stopped.
"""

import sys

from studies.base import STUDIES, main

if __name__ == "__main__":
    main(STUDIES, __doc__, sys.argv[1:])
