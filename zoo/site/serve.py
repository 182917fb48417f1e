"""Serving the page of a zoo on this machine alone: browsers give a microphone to served pages, not to files."""

from __future__ import annotations

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from supernet.errors import InvalidQuery
from zoo.ask.units import whole

__all__ = ["LOOPBACK", "server"]

LOOPBACK = "127.0.0.1"
MOST_PORT = 65535
TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html; charset=utf-8", ".svg": "image/svg+xml"}
"""Whatever the machine's own table says."""


class _Handler(SimpleHTTPRequestHandler):
    """Files of a folder; nothing is told of each request."""

    extensions_map: ClassVar = {**SimpleHTTPRequestHandler.extensions_map, **TYPES}

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def end_headers(self) -> None:
        """A page that was written anew is read anew."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()


class _Server(ThreadingHTTPServer):
    """A browser that goes away in the middle of an answer is no error of the server."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing where a connection broke."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def server(folder: str | Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of a folder on 127.0.0.1, not yet running. port: 0 for any that is free. Raises InvalidQuery for a port
    that cannot be had.
    """
    number = whole("port", port, 0, MOST_PORT)
    try:
        return _Server((LOOPBACK, number), partial(_Handler, directory=str(folder)))
    except OSError as error:
        raise InvalidQuery(f"port = {number}: cannot be had ({error.strerror}); give another, or 0 for any") from None
