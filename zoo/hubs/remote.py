"""Hubs on the Hugging Face Hub: hf://OWNER/NAME@REVISION, through huggingface_hub, whose cache, token, offline mode and
endpoint (HF_HOME, HF_TOKEN, HF_HUB_OFFLINE, HF_ENDPOINT) hold. No torch here.

A revision is pinned to its commit when the hub is opened: the index and all models are then of that commit. Only the
index is downloaded, and of a model what is asked for. A file is absent where the hub answers 404 and does not list it;
all else is an error that says why, and where the hub cannot be asked what is in the cache answers, with a warning.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from supernet.errors import EarshotError, HubUnavailable, InvalidPackage, InvalidQuery, UnknownName
from supernet.files import read_bytes
from zoo.hubs.base import MODELS, REMOTE, SUPERNETS, AnyHub, checked_entry, supernets_in
from zoo.hubs.failures import in_words, is_transient, reason, status_of
from zoo.hubs.index import INDEX, Index, read_index
from zoo.hubs.page import is_hub_card
from zoo.package.entry import Entry
from zoo.package.read import CARD, CONFIG, read_config

__all__ = ["RemoteHub", "Stale"]

PART = r"[A-Za-z0-9][\w.-]{0,95}"
ADDRESS = re.compile(rf"hf://(?P<repo>{PART}/{PART})(@(?P<revision>[\w./-]{{1,128}}))?", re.ASCII)
GONE, CHANGED = 404, 412
"""What a hub answers for what it does not have, and to a commit on top of one that is not the newest."""
MAIN, SHORT = "main", 8
"""The branch that is meant where none is given, and how much of a commit's hash is shown."""

log = logging.getLogger(__name__)


class Stale(Exception):
    """The hub was changed since it was opened."""


class RemoteHub(AnyHub):
    """A hub in a model repository of the Hugging Face Hub, at one commit.

    address: hf://OWNER/NAME, or with @REVISION, a branch, tag or commit. new: to be written, so never as it is in the
    cache: make the repository where there is none, private unless `public`, and take one without an index as empty.

    Raises InvalidQuery for what is no address, UnknownName for a repository, revision or index that is not there,
    HubUnavailable where it cannot be reached, or refuses.
    """

    commit: str | None = None

    def __init__(self, address: str, new: bool = False, public: bool = False) -> None:
        match = ADDRESS.fullmatch(address)
        if match is None or ".." in address:
            raise InvalidQuery(f"hub {address}: give hf://OWNER/NAME or hf://OWNER/NAME@REVISION")
        self.asked, self.repo, self.revision = address, match["repo"], match["revision"]
        if new:
            about = self._made(public)
            self.visibility = _visibility(about)
            self._index_path = self._fetch(INDEX, about["sha"], optional=True)
            self.commit = about["sha"]
        else:
            self._index_path = self._newest_index()
            self.commit = self._index_path.parent.name

    @property
    def address(self) -> str:
        """hf://OWNER/NAME@COMMIT."""
        return f"{REMOTE}{self.repo}@{self.commit}"

    @cached_property
    def index(self) -> Index:
        """Its models as columns. Raises InvalidPackage for an index that cannot be read."""
        if self._index_path is None:
            return Index.of([])
        return self._whole(lambda again: read_index(self._fetch(INDEX, self.commit, again)))

    @cached_property
    def visibility(self) -> str | None:
        """ "private" or "public"; None where the hub does not say."""
        with self._asking():
            return _visibility(self._about())

    @property
    def owns_card(self) -> bool:
        """True where its `README.md` is none of a person's."""
        card = self._fetch(CARD, self.commit, optional=True)
        return card is None or len(read_bytes(card)) == 0 or is_hub_card(read_bytes(card))

    def path(self, entry: Entry) -> Path:
        """The folder of a model's package, downloaded, with the files that the index lists.

        What was altered in the cache or on its way is downloaded once more. Raises InvalidPackage where it stays so.
        """
        return self._whole(lambda again: self._package(entry, again))

    def file(self, entry: Entry, name: str) -> Path | None:
        """One file of a model's package; None where it has no such file.

        Raises HubUnavailable where the hub does not say whether it has.
        """
        return self._fetch(f"{MODELS}/{entry.name}/{name}", self.commit, optional=True)

    def supernets(self) -> tuple[Path, ...]:
        """The folders of its supernets, downloaded. Raises HubUnavailable where not all can be had."""
        from huggingface_hub import snapshot_download

        with self._asking(SUPERNETS):
            files = self._files(SUPERNETS, self.commit, deep=True)
            if not files:
                return ()
            folder = Path(snapshot_download(self.repo, revision=self.commit, allow_patterns=[f"{SUPERNETS}/*"]))
        for file in files:
            if not (folder / file).is_file():
                self._fetch(file, self.commit)
        return supernets_in(folder)

    def change(
        self, files: Mapping[str, Path | bytes], folders_gone: Iterable[str], message: str, index: Index
    ) -> RemoteHub:
        """Write files and take folders away in one commit; returns the hub as it is then.

        files: by their paths. index: what it lists then. Raises Stale, and writes nothing, where the hub was changed
        since it was opened.
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

        operations = [
            CommitOperationAdd(path, data if isinstance(data, bytes) else str(data)) for path, data in files.items()
        ]
        operations += [CommitOperationDelete(f"{folder}/", is_folder=True) for folder in folders_gone]
        with self._asking():
            made = HfApi().create_commit(
                self.repo, operations, commit_message=message, revision=self.revision, parent_commit=self.commit
            )
        now = copy(self)
        now.commit, now.index = made.oid, index
        return now

    def _whole(self, read: Callable[[bool], Any]) -> Any:
        """What `read` gives, which is told to download again where the first time something was altered."""
        try:
            return read(False)
        except InvalidPackage as damage:
            try:
                return read(True)
            except HubUnavailable as error:
                raise InvalidPackage(f"{damage}; it cannot be downloaded again: {error}") from None

    def _package(self, entry: Entry, again: bool) -> Path:
        place = f"{MODELS}/{entry.name}"
        folder = self._fetch(f"{place}/{CONFIG}", self.commit, again).parent
        for file in read_config(folder, entry.config_sha256).files:
            self._fetch(f"{place}/{file}", self.commit, again)
        checked_entry(folder)
        return folder

    def _newest_index(self) -> Path:
        """The index as the hub has it, or, where the hub cannot be asked, as it is in the cache, with a warning."""
        with self._asking(INDEX):
            cached = self._in_cache(INDEX, self.revision)
            if cached is None or cached.parent.name == self.revision:
                return self._fetch(INDEX, self.revision)
            try:
                commit = self._head()
            except Exception as error:  # of the network: their classes are those of the client's own libraries
                if not is_transient(error):
                    raise
                at = cached.parent.name[:SHORT]
                log.warning("hub %s: %s; taken from the cache, as it was at commit %s", self.asked, reason(error), at)
                return cached
        path = self._fetch(INDEX, self.revision)
        return path if commit in (None, path.parent.name) else self._fetch(INDEX, commit)

    def _head(self) -> str | None:
        """The commit of a revision; None where it has no index."""
        from huggingface_hub import get_hf_file_metadata, hf_hub_url
        from huggingface_hub.errors import RemoteEntryNotFoundError

        url = hf_hub_url(self.repo, INDEX, revision=self.revision)
        try:
            commit = get_hf_file_metadata(url, timeout=_seconds()).commit_hash
        except RemoteEntryNotFoundError:
            return None
        if commit is None:
            raise ConnectionError(f"what {url} answers is not of a hub; check HF_ENDPOINT and the proxy")
        return commit

    def _in_cache(self, file: str, revision: str | None) -> Path | None:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(self.repo, file, revision=revision)
        return Path(found) if isinstance(found, str) else None

    def _fetch(self, file: str, revision: str | None, again: bool = False, optional: bool = False) -> Path | None:
        """A file in the cache, downloaded where it is not there. optional: give None where the hub has no such file."""
        from huggingface_hub import hf_hub_download

        with self._asking(file):
            try:
                return Path(hf_hub_download(self.repo, file, revision=revision, force_download=again))
            except Exception as error:  # see `_newest_index`
                if not self._lacks(file, revision, error):
                    raise
        if optional:
            return None
        if file == INDEX:
            raise UnknownName(f"hub {self.asked}: has no file {file}; is it a hub of Earshot?")
        raise InvalidPackage(f"hub {self.asked}: has no file {file}, which belongs to what it lists; publish it again")

    def _lacks(self, file: str, revision: str | None, error: Exception) -> bool:
        """True where an error says that a hub has no such file, and its listing does not have it either."""
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        if is_transient(error):
            return self._known_to_lack(file, revision)
        if status_of(error) != GONE or isinstance(error, (RepositoryNotFoundError, RevisionNotFoundError)):
            return False
        folder = str(PurePosixPath(file).parent)
        if file in self._files("" if folder == "." else folder, revision):
            raise HubUnavailable(f"hub {self.asked}: lists {file}, but answers HTTP {GONE} for it; try again later")
        return True

    def _known_to_lack(self, file: str, revision: str | None) -> bool:
        """True where the cache knows that a commit has no such file."""
        from huggingface_hub import _CACHED_NO_EXIST, try_to_load_from_cache

        listed = self._listed(revision)
        if listed is not None:
            return file not in listed
        return try_to_load_from_cache(self.repo, file, revision=revision) is _CACHED_NO_EXIST

    def _listed(self, revision: str | None) -> list[str] | None:
        """All files of a commit, where the cache has the list."""
        from huggingface_hub import get_cached_repo_tree
        from huggingface_hub.errors import CachedRepoTreeNotFoundError

        try:
            return [file.path for file in get_cached_repo_tree(self.repo, revision=revision)]
        except CachedRepoTreeNotFoundError:
            return None

    def _files(self, folder: str, revision: str | None, deep: bool = False) -> list[str]:
        """The files that the hub lists in a folder. deep: and in those below it."""
        from huggingface_hub.errors import RemoteEntryNotFoundError
        from huggingface_hub.utils import build_hf_headers, paginate

        listed = self._listed(revision)
        if listed is not None:
            return [file for file in listed if file.startswith(f"{folder}/" if folder else "")]
        url = f"{self._api()}/tree/{quote(revision or MAIN, safe='')}{'/' if folder else ''}{quote(folder, safe='')}"
        try:
            rows = list(paginate(url, {"recursive": deep}, build_hf_headers(), timeout=_seconds()))
        except RemoteEntryNotFoundError:
            return []
        return [row["path"] for row in rows if row["type"] == "file"]

    def _made(self, public: bool) -> dict:
        """What the hub says of the repository, which is made where there is none."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

        with self._asking():
            try:
                about = self._about()
            except RepositoryNotFoundError as error:
                if isinstance(error, GatedRepoError) or self.revision not in (None, MAIN):
                    raise
                HfApi().create_repo(self.repo, private=not public, exist_ok=True)
                about = self._about()
        if public and _visibility(about) == "private":
            log.warning("hub %s: is private and stays so; its settings on its page make it public", self.asked)
        return about

    def _about(self) -> dict:
        """What the hub says of the repository at the revision."""
        from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, http_backoff

        at = f"/revision/{quote(self.revision, safe='')}" if self.revision else ""
        answer = http_backoff("GET", f"{self._api()}{at}", headers=build_hf_headers(), timeout=_seconds())
        hf_raise_for_status(answer)
        return answer.json()

    def _api(self) -> str:
        from huggingface_hub import HfApi

        return f"{HfApi().endpoint}/api/models/{self.repo}"

    @contextmanager
    def _asking(self, file: str = "") -> Iterator[None]:
        """With what the client raises as errors of the zoo. file: what is asked for, where it is one."""
        try:
            yield
        except EarshotError:
            raise
        except Exception as error:  # see `_newest_index`
            if status_of(error) == CHANGED:
                raise Stale from None
            raise in_words(error, self.asked, file, self.revision, self.commit is not None) from None


def _visibility(about: Mapping[str, Any]) -> str | None:
    return {True: "private", False: "public"}.get(about.get("private"))


def _seconds() -> float:
    """How long an answer is waited for."""
    from huggingface_hub.constants import HF_HUB_ETAG_TIMEOUT

    return HF_HUB_ETAG_TIMEOUT
