"""Errors of huggingface_hub in the words of the zoo. No torch here.

What is not there, what is refused, a hub that cannot be reached and a cache that cannot be written are told apart, as
what to do differs.
"""

from __future__ import annotations

import errno
from pathlib import Path

from supernet.errors import EarshotError, HubUnavailable, InvalidQuery, UnknownName

__all__ = ["LOG_IN", "in_words", "is_transient", "reason", "status_of"]

LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
REFUSED, BUSY = (401, 403), (408, 425, 429)
"""What a hub answers to a token, and to one who asks too often; it is out of order from 500 on."""
DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}
"""Errors of the disk that name no file."""


def status_of(error: BaseException) -> int | None:
    """The status that the hub answered, where it did."""
    from huggingface_hub.errors import HfHubHTTPError

    error = _cause(error)
    return error.response.status_code if isinstance(error, HfHubHTTPError) else None


def is_transient(error: BaseException) -> bool:
    """True where nothing is known of what was asked for: the hub cannot be reached, or cannot answer now."""
    status = status_of(error)
    if status is not None:
        return status in BUSY or status >= 500
    return not isinstance(error, EarshotError) and not _is_local(_cause(error))


def reason(error: BaseException) -> str:
    """Why a request failed, in one line, with what to do."""
    from huggingface_hub.errors import OfflineModeIsEnabled

    status, error = status_of(error), _cause(error)
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE forbids to ask for it; unset it, or use a folder"
    if status in REFUSED:
        return f"refused the token, or the lack of one (HTTP {status}); {LOG_IN}"
    if status is not None:
        return f"answered HTTP {status}; try again {_when(error.response.headers.get('Retry-After'))}"
    what = " ".join(str(error).split())[:200] or type(error).__name__
    return f"it cannot be reached ({what}); try again, or use a folder"


def _when(seconds: str | None) -> str:
    return f"in {int(seconds)} s" if seconds and seconds.strip().isdecimal() else "later"


def in_words(error: Exception, address: str, file: str = "", revision: str | None = None, opened: bool = False):
    """The error of the zoo that says what one of the client does.

    address: of the hub, as the user gave it. file: what was asked for, where it was one. revision: of the address.
    opened: the hub has answered before, so that it is there.
    """
    from huggingface_hub import errors

    root, where = _cause(error), f"hub {address}"
    at = f"{where}: {file}" if file else where
    if isinstance(root, EarshotError):
        return root
    if isinstance(root, errors.HFValidationError):
        return InvalidQuery(f"{where}: no name of the Hugging Face Hub; give hf://OWNER/NAME")
    if isinstance(root, errors.GatedRepoError):
        return HubUnavailable(f"{where}: wants its terms accepted on its page first; then {LOG_IN}")
    if isinstance(root, errors.RepositoryNotFoundError):
        text = f"no such repository, or a private one; {LOG_IN}"
        return HubUnavailable(f"{at}: {text}") if opened else UnknownName(f"{where}: {text}")
    if isinstance(root, errors.RevisionNotFoundError):
        name = f"revision {revision}" if revision else "such revision"
        text = f"the repository has no {name}; leave it out for its main branch"
        return HubUnavailable(f"{at}: {text}") if opened else UnknownName(f"{where}: {text}")
    if _is_local(root):
        return HubUnavailable(f"{where}: {_disk(root)}")
    if isinstance(error, errors.LocalEntryNotFoundError):
        return HubUnavailable(f"{at}: not in the cache, and {reason(error)}")
    return HubUnavailable(f"{at}: {reason(error)}")


def _cause(error: BaseException) -> BaseException:
    """What went wrong, of an error by which the client says what it was about."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    while isinstance(error, (RuntimeError, ValueError, LocalEntryNotFoundError)) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _is_local(error: BaseException) -> bool:
    """True for an error of files and disks here; those of the network have other classes, and name no file."""
    from huggingface_hub.errors import FileMetadataError, HfHubHTTPError, LocalEntryNotFoundError

    network = (ConnectionError, TimeoutError, FileMetadataError, HfHubHTTPError, LocalEntryNotFoundError)
    of_disk = isinstance(error, OSError) and (error.filename is not None or error.errno in DISK)
    return of_disk and not isinstance(error, (*network, EarshotError))


def _disk(error: OSError) -> str:
    """Which file cannot be read or written, and what to do."""
    from huggingface_hub.constants import HF_HUB_CACHE

    cache = Path(HF_HUB_CACHE).resolve()
    file = cache if error.filename is None else Path(error.filename).resolve()
    if not file.is_relative_to(cache) and not cache.is_relative_to(file):
        return f"{file}: {error.strerror}"
    what = f"{file}: {error.strerror}"
    return f"the cache of downloads cannot be used ({what}); make room there, or set HF_HOME to another folder"
