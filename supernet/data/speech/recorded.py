"""A folder of clips that others spoke, or engines elsewhere: FOLDER/TEXT/VOICE_NUMBER.wav.

A text is said by the clips in the folder of its name, spaces or `_` between its words; the voice is what comes before
the first `_` in a clip's name.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from supernet.data.audio import read_audio
from supernet.data.speech.base import Engine, Manner, Voice, held_speakers
from supernet.data.walk import alike, walk, walk_classes
from supernet.errors import InvalidAudio, InvalidData
from supernet.files import digest

__all__ = ["Recorded"]


class Recorded(Engine):
    """See above. Raises InvalidData for a folder without clips."""

    licence = "that of the recordings, which their owner must know"

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.name = f"folder {ascii(self.folder.resolve().name)[1:-1]}"
        if not self._clips:
            raise InvalidData(f"{folder}: no clips; give a folder of FOLDER/TEXT/VOICE_NUMBER.wav")

    def identity(self) -> list:
        """See Engine."""
        return self._files

    def voices(self) -> tuple[Voice, ...]:
        """See Engine."""
        names = sorted({_speaker(path) for paths in self._clips.values() for path in paths})
        held = held_speakers(names)
        return tuple(Voice(name, name in held) for name in names)

    def says(self, text: str) -> tuple[Voice, ...]:
        """See Engine."""
        known = {_speaker(path) for path in self._clips.get(_key(text), ())}
        return tuple(voice for voice in self.voices() if voice.name in known)

    def say(self, text: str, voice: str, manner: Manner):
        """See Engine."""
        own = [path for path in self._clips[_key(text)] if _speaker(path) == voice]
        try:
            return read_audio(own[manner.take % len(own)])
        except InvalidAudio as error:
            raise InvalidData(f"{self.name}: {error}") from None

    @cached_property
    def _files(self) -> list:
        files = [path for paths in self._clips.values() for path in paths]
        return [digest([[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in files])]

    @cached_property
    def _clips(self) -> dict[str, list[Path]]:
        """By their text, folders of the same one together."""
        found: dict[str, list[Path]] = {}
        for name in walk_classes(self.folder).walks:
            if paths := walk(self.folder / name).recordings:
                found.setdefault(_key(name), []).extend(paths)
        return found


def _key(text: str) -> str:
    return alike(text.replace("_", " "))


def _speaker(path: Path) -> str:
    return path.stem.partition("_")[0]
