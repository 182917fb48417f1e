"""Hubs on the Hugging Face Hub: hf://OWNER/NAME@REVISION, through huggingface_hub, whose cache, token, offline mode and
endpoint (HF_HOME, HF_TOKEN, HF_HUB_OFFLINE, HF_ENDPOINT) hold. No torch here.

A revision is pinned to its commit when the hub is opened: the index and all models are then of that commit. Only the
index is downloaded, and of a model what is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from supernet.errors import HubUnavailable, InvalidPackage, InvalidQuery, UnknownName
from supernet.files import read_bytes
from zoo.hubs.base import MODELS, REMOTE, SUPERNETS, AnyHub, checked_entry, supernets_in
from zoo.hubs.index import INDEX, Index, read_index
from zoo.hubs.page import is_hub_card
from zoo.package.entry import Entry
from zoo.package.read import CARD, CONFIG, read_config

__all__ = ["RemoteHub", "Stale"]

PART = r"[A-Za-z0-9][\w.-]{0,95}"
ADDRESS = re.compile(rf"hf://(?P<repo>{PART}/{PART})(@(?P<revision>[\w./-]{{1,128}}))?", re.ASCII)
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


class Stale(Exception):
    """The hub was changed since it was opened."""


class RemoteHub(AnyHub):
    """A hub in a model repository of the Hugging Face Hub, at one commit.

    address: hf://OWNER/NAME, or with @REVISION, a branch, tag or commit. new: make the repository where there is none,
    and take one without an index as empty. Raises InvalidQuery for what is no address, UnknownName for a repository,
    revision or index that is not there, HubUnavailable where it cannot be reached, or refuses.
    """

    def __init__(self, address: str, new: bool = False) -> None:
        match = ADDRESS.fullmatch(address)
        if match is None or ".." in address:
            raise InvalidQuery(f"hub {address}: give hf://OWNER/NAME or hf://OWNER/NAME@REVISION")
        self.asked, self.repo, self.revision = address, match["repo"], match["revision"]
        if new:
            self._make()
        self._index_path = self._fetch(INDEX, self.revision, missing=new)
        self.commit = self._index_path.parent.name if self._index_path else self._head()

    @property
    def address(self) -> str:
        """hf://OWNER/NAME@COMMIT."""
        return f"{REMOTE}{self.repo}@{self.commit}"

    @cached_property
    def index(self) -> Index:
        """Its models as columns. Raises InvalidPackage for an index that cannot be read."""
        return read_index(self._index_path) if self._index_path else Index.of([])

    @property
    def owns_card(self) -> bool:
        """True where its `README.md` is none of a person's."""
        card = self._fetch(CARD, self.commit, missing=True)
        return card is None or len(read_bytes(card)) == 0 or is_hub_card(read_bytes(card))

    def path(self, entry: Entry) -> Path:
        """The folder of a model's package, downloaded, with the files that the index lists.

        What was altered in the cache or on its way is downloaded once more. Raises InvalidPackage where it stays so.
        """
        try:
            return self._package(entry)
        except InvalidPackage:
            return self._package(entry, again=True)

    def file(self, entry: Entry, name: str) -> Path | None:
        """One file of a model's package; None where it has no such file."""
        return self._fetch(f"{MODELS}/{entry.name}/{name}", self.commit, missing=True)

    def supernets(self) -> tuple[Path, ...]:
        """The folders of its supernets, downloaded."""
        from huggingface_hub import snapshot_download

        with self._asking():
            folder = snapshot_download(self.repo, revision=self.commit, allow_patterns=[f"{SUPERNETS}/*"])
        return supernets_in(Path(folder))

    def change(self, files: Mapping[str, Path | bytes], folders_gone: Iterable[str], message: str) -> RemoteHub:
        """Write files and take folders away in one commit; returns the hub as it is then.

        files: by their paths. Raises Stale, and writes nothing, where the hub was changed since it was opened.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

        operations = [
            CommitOperationAdd(path, data if isinstance(data, bytes) else str(data)) for path, data in files.items()
        ]
        operations += [CommitOperationDelete(f"{folder}/", is_folder=True) for folder in folders_gone]
        with self._asking():
            HfApi().create_commit(
                self.repo, operations, commit_message=message, revision=self.revision, parent_commit=self.commit
            )
        return RemoteHub(self.asked)

    def _package(self, entry: Entry, again: bool = False) -> Path:
        place = f"{MODELS}/{entry.name}"
        folder = self._fetch(f"{place}/{CONFIG}", self.commit, again).parent
        for file in read_config(folder, entry.config_sha256).files:
            self._fetch(f"{place}/{file}", self.commit, again)
        checked_entry(folder)
        return folder

    def _fetch(self, file: str, revision: str | None, again: bool = False, missing: bool = False) -> Path | None:
        """A file in the cache, downloaded where it is not there. missing: give None where the hub has no such file."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError, RemoteEntryNotFoundError

        with self._asking():
            try:
                return Path(hf_hub_download(self.repo, file, revision=revision, force_download=again))
            except RemoteEntryNotFoundError:
                if missing:
                    return None
                raise
            except LocalEntryNotFoundError:  # cannot be reached
                if missing and file != INDEX:
                    return None
                raise

    def _make(self) -> None:
        from huggingface_hub import HfApi

        with self._asking():
            if not HfApi().repo_exists(self.repo):
                HfApi().create_repo(self.repo)

    def _head(self) -> str:
        from huggingface_hub import HfApi

        with self._asking():
            return HfApi().model_info(self.repo, revision=self.revision).sha

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """With what the client raises as errors of the zoo."""
        from huggingface_hub import errors

        at = f" revision {self.revision}" if self.revision else ""
        try:
            yield
        except errors.HFValidationError:
            raise InvalidQuery(f"hub {self.asked}: no name of the Hugging Face Hub; give hf://OWNER/NAME") from None
        except errors.GatedRepoError:
            raise HubUnavailable(
                f"hub {self.asked}: wants its terms accepted on its page first; then {LOG_IN}"
            ) from None
        except errors.RepositoryNotFoundError:
            raise UnknownName(f"hub {self.asked}: no such repository, or a private one; {LOG_IN}") from None
        except errors.RevisionNotFoundError:
            raise UnknownName(
                f"hub {self.asked}: the repository has no{at}; leave it out for its main branch"
            ) from None
        except errors.RemoteEntryNotFoundError as error:
            file = str(error.response.url).rsplit("/resolve/", 1)[-1].partition("/")[2]
            raise UnknownName(f"hub {self.asked}: has no file {file}; is it a hub of Earshot?") from None
        except errors.LocalEntryNotFoundError as error:
            raise HubUnavailable(f"hub {self.asked}: not in the cache, and {_reason(error.__cause__)}") from None
        except errors.HfHubHTTPError as error:
            if error.response.status_code == 412:
                raise Stale from None
            raise HubUnavailable(f"hub {self.asked}: {_reason(error)}") from None
        except Exception as error:  # of the network: their classes are those of the client's own libraries
            raise HubUnavailable(f"hub {self.asked}: {_reason(error)}") from None


def _reason(error: BaseException | None) -> str:
    """Why a request failed, in one line, with what to do."""
    from huggingface_hub import errors

    if isinstance(error, RuntimeError) and error.__cause__ is not None:  # of an upload
        error = error.__cause__
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE forbids to ask for it; unset it, or use a folder"
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        if status in (401, 403):
            return f"refused the token, or the lack of one (HTTP {status}); {LOG_IN}"
        return f"answered HTTP {status}; try again later"
    what = " ".join(str(error).split())[:200] or type(error).__name__
    return f"it cannot be reached ({what}); try again, or use a folder"
