"""What the README's console blocks show is what the commands really print.

    python scripts/readme.py            # put their output into the README
    python scripts/readme.py --check    # exit with 1 where it differs

Commands run one after another in a new folder that has what a reader has: `zoo`, a recording of four words called
`long.flac`, a folder `my-recordings`, and a hub of one's own.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
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
    options = parser.parse_args()
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
    return BLOCK.sub(lambda block: f"```console\n{_shown(commands(block[1]), folder)}```\n", text)


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


def _shown(block: list[tuple[str, str]], folder: Path) -> str:
    return "".join(f"$ {command}\n{_output(command, printed, folder)}" for command, printed in block)


def _output(command: str, printed: str, folder: Path) -> str:
    return printed if command.startswith(TRAINS) or "..." in printed.splitlines() else run(command, folder)


def run(command: str, folder: Path) -> str:
    """What a command prints in the folder; where that is nothing, its error."""
    environment = {**os.environ, "EARSHOT_HUB": str(folder / "own-hub"), "EARSHOT_PROFILES": str(folder / "profiles")}
    environment |= {"PYTHONPATH": str(ROOT)}
    line = command.replace("earshot", f"{sys.executable} -m zoo.cli", 1)
    done = subprocess.run(line, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    printed = done.stdout or "".join(done.stderr.splitlines(keepends=True)[-1:])
    printed = printed.replace(str(folder / "own-hub"), OWN_HUB)
    return re.sub(r"/\S*?/zoo/hub", ".../zoo/hub", printed) if done.returncode == 0 else printed


if __name__ == "__main__":
    main()
