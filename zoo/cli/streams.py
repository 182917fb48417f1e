"""The standard streams of a command: closed ones, those that nobody reads any longer, and those of other code pages."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["STDOUT", "standard_streams"]

STDIN, STDOUT, STDERR = "standard input", "standard output", "standard error"
CLOSED = "it is closed; connect it to a terminal, a file or a pipe"


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let a command use all three streams of the process, whatever they are; those that a caller has put in their place
    are left as they are.

    Signs that the encoding lacks are written as escapes such as `\\xfc`. What cannot be read or written raises OSError
    with the stream's name as its file; messages that cannot be told are dropped, since work goes on without them.
    """
    before = sys.stdin, sys.stdout, sys.stderr
    _fill_closed()
    sys.stdin = sys.stdin or io.TextIOWrapper(io.BufferedReader(_ClosedInput()), "utf-8")
    sys.stdout = _output(STDOUT, sys.stdout) if sys.stdout is sys.__stdout__ else sys.stdout
    sys.stderr = _output(STDERR, sys.stderr) if sys.stderr is sys.__stderr__ else sys.stderr
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stdin, sys.stdout, sys.stderr = before


def _fill_closed() -> None:
    """Leave no file that is opened later the number of a standard stream, into which libraries may write."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(number)


def _output(name: str, stream: io.TextIOWrapper | None) -> io.TextIOWrapper:
    """A stream that writes where `stream` does."""
    if stream is None:
        return io.TextIOWrapper(_Output(name, None), "utf-8", "backslashreplace")
    stream.flush()
    as_before = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
    return io.TextIOWrapper(_Output(name, stream.buffer), stream.encoding, "backslashreplace", **as_before)


class _ClosedInput(io.RawIOBase):
    """Standard input where there is none."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        raise OSError(errno.EBADF, CLOSED, STDIN)


class _Output(io.BufferedIOBase):
    """A standard stream of bytes, or None where it is closed."""

    def __init__(self, name: str, stream: io.BufferedWriter | None) -> None:
        self._name, self._stream = name, stream

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        return super().fileno() if self._stream is None else self._stream.fileno()

    def write(self, data) -> int:
        if self._stream is None:
            self._fail(OSError(errno.EBADF, CLOSED))
            return len(data)
        try:
            return self._stream.write(data)
        except OSError as error:
            self._fail(error)
            return len(data)

    def flush(self) -> None:
        try:
            if self._stream is not None:
                self._stream.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._give_up()
        if self._name != STDERR:
            raise OSError(error.errno, error.strerror, self._name) from None

    def _give_up(self) -> None:
        """Lead to nowhere, so that what is left in buffers does not fail again when the process ends."""
        if self._stream is not None:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
            with suppress(OSError):
                self._stream.flush()
