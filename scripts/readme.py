"""What the README's console blocks show is what the commands really print.

    python scripts/readme.py            # put their output into the README
    python scripts/readme.py --check    # exit with 1 where it differs

Commands run one after another in a new folder that has what a reader has: `zoo`, a recording of four words called
`long.flac`, a folder `my-recordings`, and a hub of one's own.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"```console\n(.*?)```\n", re.DOTALL)
TRAINS = "earshot train "
"""Blocks of a command that takes minutes and data of one's own; they are left as they are."""
OWN_HUB = "~/.local/share/earshot/hub"
WORDS = ("stop", "left", "zero", "five")


def main() -> None:
    """Refresh or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only tell whether it differs")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        _work()
        return
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        made = refreshed(text, Path(folder))
    if not options.check:
        README.write_text(made, encoding="utf-8")
    elif made != text:
        sys.exit("README.md: the commands print something else; run scripts/readme.py")


def refreshed(text: str, folder: Path) -> str:
    """A text with what its commands print. folder: an empty one, where they run."""
    furnish(folder)
    blocks = [commands(block) for block in BLOCK.findall(text)]
    runs = [block for block in blocks if not any(command.startswith(TRAINS) for command, _ in block)]
    printed = iter(run([command for block in runs for command, _ in block], folder))

    def shown(match: re.Match) -> str:
        block = commands(match[1])
        lines = [f"$ {command}\n{next(printed) if block in runs else old}" for command, old in block]
        return f"```console\n{''.join(lines)}```\n"

    return BLOCK.sub(shown, text)


def furnish(folder: Path) -> None:
    """Put there what the README's reader has."""
    (folder / "zoo").symlink_to(ROOT / "zoo")
    clips = {path.stem: soundfile.read(path) for path in sorted((ROOT / "zoo" / "clips").glob("*.wav"))}
    rate = clips[WORDS[0]][1]
    soundfile.write(folder / "long.flac", np.concatenate([clips[word][0] for word in WORDS]), rate)
    for word, (samples, _) in clips.items():
        place = folder / "my-recordings" / word
        place.mkdir(parents=True)
        for number, loudness in enumerate((1, 0.5, 0.25)):
            soundfile.write(place / f"{number}.wav", loudness * samples, rate)


def commands(block: str) -> list[tuple[str, str]]:
    """The commands of a block, each with what is printed below it."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def run(lines: list[str], folder: Path) -> list[str]:
    """What commands print, one after another in one process in the folder; of one that fails, its error."""
    environment = {**os.environ, "EARSHOT_HUB": str(folder / "own-hub"), "EARSHOT_PROFILES": str(folder / "profiles")}
    command, environment["PYTHONPATH"] = [sys.executable, __file__, "--worker"], str(ROOT)
    asked = json.dumps(lines)
    done = subprocess.run(command, input=asked, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True)
    return [
        re.sub(r"/\S*?/zoo/hub", ".../zoo/hub", printed.replace(str(folder / "own-hub"), OWN_HUB))
        for printed in json.loads(done.stdout)
    ]


def _work() -> None:
    """Run the commands that come as JSON, and give what they print as JSON."""
    from zoo.cli import main as earshot

    printed = []
    for line in json.load(sys.stdin):
        output, errors = io.StringIO(), io.StringIO()
        with redirect_stdout(output), redirect_stderr(errors):
            earshot(shlex.split(line)[1:])
        printed.append(output.getvalue() or "".join(errors.getvalue().splitlines(keepends=True)[-1:]))
    print(json.dumps(printed))


if __name__ == "__main__":
    main()
