"""A Hugging Face Hub on loopback: the part of its protocol that the real client speaks, with faults on demand.

Models only, in memory. Small text files are git blobs, known by the SHA-1 that git gives them and answered at once;
files that the Hub would keep as LFS are known by their SHA-256 and lie at `HubServer.storage`, another origin to which
the Hub redirects. Errors carry the codes by which huggingface_hub chooses its exceptions. Xet is not offered.

    with HubServer() as hub:
        hub.create("anna/zoo", {"index.json": b"{}"})
        hf_hub_download("anna/zoo", "index.json", endpoint=hub.endpoint, cache_dir=folder)
        assert hub.downloads == ["index.json"]
"""

from __future__ import annotations

import base64
import json
import math
import os
import re
import socket
import struct
import sys
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha1, sha256
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from urllib.parse import parse_qs, quote, unquote, urlsplit

LFS_SUFFIXES = {".bin", ".gz", ".npy", ".npz", ".onnx", ".pt", ".safetensors", ".tar", ".tflite", ".xz", ".zip"}
LFS_BYTES = 10 * 2**20  # larger files are LFS whatever their names
SAMPLE_BYTES = 512  # what the client shows of a file before it uploads
GIT_ATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in sorted(LFS_SUFFIXES)).encode()
STALE = "A commit has happened since. Please refresh and try again."
UNKNOWN = "Invalid username or password."


@dataclass(frozen=True)
class Request:
    """One line of the log; `file` is set where the bytes of a repository's file were the answer."""

    method: str
    path: str
    status: int
    range: str | None = None
    file: str | None = None
    authorised: bool = False


@dataclass
class Fault:
    """What befalls the next `times` requests of which "METHOD /path" matches; see `HubServer.fail`."""

    match: str = ""
    times: float = 0
    status: int | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: int | None = None
    reset: bool = False
    hang_up: bool = False
    alter: bool = False
    delay: float = 0.0


@dataclass
class Answer:
    """A response: `length` differs from the body's only where a HEAD asks for a file."""

    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = HTTPStatus.OK
    file: str | None = None


class Refused(Exception):
    """A request that the Hub answers with an error: `code` chooses the client's exception."""

    def __init__(self, status: int, message: str, code: str | None = None, headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message} | dict(headers or {})
        if code:
            self.headers["X-Error-Code"] = code


@dataclass(frozen=True)
class File:
    """A file of a commit under the names that the Hub's answers give it."""

    path: str
    content: bytes

    @property
    def lfs(self) -> bool:
        return upload_mode(self.path, len(self.content), self.content[:SAMPLE_BYTES]) == "lfs"

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        size = len(self.content)
        return f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {size}\n".encode()

    @property
    def blob_id(self) -> str:
        return git_hash(self.pointer if self.lfs else self.content)

    @property
    def etag(self) -> str:
        return self.sha256 if self.lfs else self.blob_id

    def describe(self, oid: str = "oid", digest: str = "oid") -> dict:
        """The file as listings state it: `tree` says oid where `siblings` say blobId and sha256."""
        size = len(self.content)
        lfs = {"lfs": {digest: self.sha256, "size": size, "pointerSize": len(self.pointer)}} if self.lfs else {}
        return {oid: self.blob_id, "size": size} | lfs


@dataclass
class Repo:
    """Commits by hash, each an immutable snapshot; a branch is its hashes, oldest first."""

    private: bool
    commits: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    branches: dict[str, list[str]] = field(default_factory=lambda: {"main": []})
    tags: dict[str, str] = field(default_factory=dict)

    def resolve(self, revision: str) -> str:
        if revision in self.branches:
            return self.branches[revision][-1]
        hashes = [commit for commit in self.commits if len(revision) >= 7 and commit.startswith(revision)]
        if revision not in self.tags and len(hashes) != 1:
            raise Refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return self.tags.get(revision) or hashes[0]

    def add(self, files: Mapping[str, bytes], branch: str) -> str:
        history = self.branches[branch]
        content = json.dumps([len(self.commits), history[-1:], {path: git_hash(files[path]) for path in sorted(files)}])
        commit = sha1(content.encode()).hexdigest()
        self.commits[commit] = dict(files)
        history.append(commit)
        return commit


def git_hash(content: bytes) -> str:
    """The name that git gives a blob."""
    return sha1(b"blob %d\0" % len(content) + content).hexdigest()


def upload_mode(path: str, size: int, sample: bytes) -> str:
    """How the Hub keeps a file: "lfs" or "regular"."""
    binary = PurePosixPath(path).suffix in LFS_SUFFIXES or b"\0" in sample
    return "lfs" if size and (binary or size > LFS_BYTES) else "regular"


class HubServer:
    """Repositories behind two servers on loopback: the Hub at `endpoint` and its storage of LFS files at `storage`."""

    def __init__(self):
        self.tokens = {"hf_read": "read", "hf_write": "write"}
        self.page = 1000  # entries of a tree in one answer
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self.objects: dict[str, bytes] = {}
        self._repos: dict[str, Repo] = {}
        self._faults: list[Fault] = []
        self._requests: list[Request] = []
        self._servers: list[_Server] = []

    def __enter__(self) -> HubServer:
        self._servers = [_Server(self), _Server(self)]
        self.endpoint, self.storage = (server.url for server in self._servers)
        return self

    def __exit__(self, *_) -> None:
        self.closing.set()
        errors = [error for server in self._servers for error in server.stop()]
        if errors:
            raise errors[0]

    def create(self, repo: str, files: Mapping[str, bytes], private: bool = False) -> str:
        """Make repository `repo` of one commit with `files`; returns the commit's hash."""
        with self.lock:
            self._repos[repo] = Repo(private)
            return self.commit(repo, files)

    def commit(self, repo: str, changes: Mapping[str, bytes | None], branch: str = "main") -> str:
        """Write `changes` on top of `branch`, None removing a file; returns the commit's hash."""
        with self.lock:
            history = self.repo(repo).branches[branch]
            files = {**(self.files(repo, branch) if history else {}), **changes}
            files = {path: content for path, content in files.items() if content is not None}
            self.objects |= {sha256(content).hexdigest(): content for content in files.values()}
            return self.repo(repo).add(files, branch)

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        """The files of `repo` at a branch, tag or commit."""
        with self.lock:
            return dict(self.repo(repo).commits[self.repo(repo).resolve(revision)])

    def history(self, repo: str, branch: str = "main") -> list[str]:
        """The hashes of the commits of a branch, oldest first."""
        with self.lock:
            return list(self.repo(repo).branches[branch])

    def tag(self, repo: str, name: str, revision: str = "main") -> None:
        with self.lock:
            self.repo(repo).tags[name] = self.repo(repo).resolve(revision)

    def branch(self, repo: str, name: str, revision: str = "main") -> None:
        with self.lock:
            self.repo(repo).branches[name] = [self.repo(repo).resolve(revision)]

    def repo(self, name: str) -> Repo:
        return self._repos[name]

    def __contains__(self, repo: str) -> bool:
        return repo in self._repos

    @property
    def requests(self) -> list[Request]:
        """What was asked so far, in the order of the answers."""
        with self.lock:
            return list(self._requests)

    @property
    def downloads(self) -> list[str]:
        """The paths of the files of which bytes were sent, in order; a resumed file counts again."""
        return [request.file for request in self.requests if request.file and request.method == "GET"]

    def forget(self) -> None:
        """Empty the log."""
        with self.lock:
            self._requests.clear()

    def log(self, request: Request) -> None:
        with self.lock:
            self._requests.append(request)

    def fail(self, match: str, times: float = 1, **what) -> None:
        """Let the next `times` requests of which "METHOD /path" matches the regular expression fail; None: all of them.

        Args:
            match: searched in e.g. "GET /anna/zoo/resolve/main/index.json", the path unquoted; the bytes of LFS files
                come from "GET /lfs/<sha256>/<owner>/<name>/<path>". `hf_hub_download` sends a HEAD before its GET.
            times: the count of requests.
            what: `status`: answer this error, with `code` and `headers`, and do nothing. `drop`: close after so many
                bytes of the body. `hang_up`: do what was asked, then close without an answer. `reset`: close, in both
                cases, by a TCP reset. `alter`: flip a byte in the middle of a file. `delay`: wait for so many seconds
                first.
        """
        with self.lock:
            self._faults.append(Fault(match, math.inf if times is None else times, **what))

    def heal(self) -> None:
        """End all faults."""
        with self.lock:
            self._faults.clear()

    def next_fault(self, request: str) -> Fault:
        with self.lock:
            fault = next((fault for fault in self._faults if fault.times > 0 and re.search(fault.match, request)), None)
            if fault is None:
                return Fault()
            fault.times -= 1
            return fault

    def environment(self, folder: Path, token: str | None = None) -> dict[str, str]:
        """The variables by which a child process, too, talks to this Hub alone, with its cache in `folder`."""
        switches = ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_XET", "HF_HUB_DISABLE_PROGRESS_BARS")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        own = {"HF_ENDPOINT": self.endpoint, "HF_HOME": str(folder), "NO_PROXY": "127.0.0.1"}
        own |= dict.fromkeys(switches, "1")
        return kept | own | ({"HF_TOKEN": token} if token else {})


def calm_client(monkeypatch, folder: Path, hub: HubServer | None = None) -> list[float]:
    """Keep huggingface_hub within this process to the test: nothing of the user's own, no telemetry, Xet or naps.

    Args:
        monkeypatch: of pytest.
        folder: gets the cache.
        hub: the endpoint where none is passed; without it the endpoint is one that refuses connections.

    Returns:
        The seconds that the client would have slept between attempts, a list that grows.
    """
    from huggingface_hub import constants, file_download, hf_api
    from huggingface_hub.utils import _http

    naps: list[float] = []
    endpoint = hub.endpoint if hub else "http://127.0.0.1:9"
    own = {"ENDPOINT": endpoint, "HUGGINGFACE_CO_URL_TEMPLATE": endpoint + "/{repo_id}/resolve/{revision}/{filename}"}
    own |= {"HF_HUB_CACHE": str(folder), "HF_TOKEN_PATH": str(folder / "token"), "HF_HUB_OFFLINE": False}
    own |= {"HF_HUB_DISABLE_TELEMETRY": True, "HF_HUB_DISABLE_XET": True}
    for name, value in own.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(hf_api.api, "endpoint", endpoint)
    monkeypatch.setattr(import_module("huggingface_hub.utils.tqdm"), "HF_HUB_DISABLE_PROGRESS_BARS", True)
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_OIDC_RESOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for module in (_http, file_download):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=naps.append))
    return naps


class _Server(ThreadingHTTPServer):
    """One origin on loopback, with threads that end when it stops."""

    daemon_threads = False  # stop() joins them, so no socket outlives the test
    request_queue_size = 64

    def __init__(self, hub: HubServer):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.hub, self.connections, self.errors = hub, set(), []
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.thread = threading.Thread(target=self.serve_forever, args=(0.005,))
        self.thread.start()

    def stop(self) -> list[BaseException]:
        """Hang up on every client that keeps its connection; returns the errors that were not the network's."""
        self.shutdown()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self.thread.join()
        return self.errors

    def process_request(self, request, client_address) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request) -> None:
        super().shutdown_request(request)
        self.connections.discard(request)

    def handle_error(self, request, client_address) -> None:
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            self.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    """Reads a request, finds its route and sends the answer, as a fault has it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_) -> None: ...

    def _serve(self) -> None:
        self.hub: HubServer = self.server.hub
        self.content = self._read()
        url = urlsplit(self.path)
        self.path, self.query = url.path, {key: values[-1] for key, values in parse_qs(url.query).items()}
        fault = self.hub.next_fault(f"{self.command} {unquote(self.path)}")
        self.hub.closing.wait(fault.delay)
        answer = self._answer(fault)
        fate = (int(answer.status), self.headers["Range"], answer.file, "Authorization" in self.headers)
        self.hub.log(Request(self.command, unquote(self.path), *fate))
        self._send(answer, fault)

    do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815

    def _read(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, fault: Fault) -> Answer:
        try:
            if fault.status:
                said = STALE if fault.status == 412 else HTTPStatus(fault.status).phrase
                raise Refused(fault.status, said, fault.code, fault.headers)
            with self.hub.lock:
                answer = self._route()
            return self._range(_altered(answer) if fault.alter else answer)
        except Refused as error:
            return _json({"error": str(error)}, error.status, error.headers)

    def _route(self) -> Answer:
        for methods, pattern, route in ROUTES:
            if self.command in methods and (found := pattern.fullmatch(self.path)):
                role = self._role()
                places = {key: unquote(value) for key, value in found.groupdict().items() if value is not None}
                if "repo" in places:
                    self._check(places["repo"], role, writes=route in WRITES)
                return route(self, **places)
        raise Refused(404, "Sorry, we can't find the page you are looking for.")

    def _role(self) -> str | None:
        """What the token allows: None without one."""
        token = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        if token and token not in self.hub.tokens:
            raise Refused(401, "Invalid credentials in Authorization header")
        return self.hub.tokens.get(token)

    def _check(self, repo: str, role: str | None, writes: bool) -> None:
        known = repo in self.hub
        if role is None and (writes or not known or self.hub.repo(repo).private):
            # The Hub sends no code here, but the client takes a bare 401 for a missing repository over https alone.
            raise Refused(401, UNKNOWN, "RepoNotFound")
        if not known:
            raise Refused(404, "Repository not found", "RepoNotFound")
        if writes and role != "write":
            raise Refused(403, "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request.")

    def _range(self, answer: Answer) -> Answer:
        """The part of a file that was asked for."""
        size, span = len(answer.body), re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers["Range"] or "")
        if answer.file is None or span is None or self.command == "HEAD":
            return answer
        first, last = (int(number) if number else None for number in span.groups())
        first, last = (max(size - last, 0), None) if first is None else (first, last)
        if first >= size:
            raise Refused(416, "Range Not Satisfiable", headers={"Content-Range": f"bytes */{size}"})
        last = size - 1 if last is None else min(last, size - 1)
        headers = answer.headers | {"Content-Range": f"bytes {first}-{last}/{size}"}
        return Answer(answer.body[first : last + 1], headers, HTTPStatus.PARTIAL_CONTENT, answer.file)

    def _send(self, answer: Answer, fault: Fault) -> None:
        self.close_connection |= fault.hang_up or fault.reset or fault.drop is not None
        if not fault.hang_up:
            self.send_response(answer.status)
            identity = {"X-Request-Id": f"request-{len(self.hub.requests)}", "Content-Length": str(len(answer.body))}
            for name, value in (answer.headers | identity).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else answer.body[: fault.drop])
        if fault.reset:
            self._reset()

    def _reset(self) -> None:
        """Close with a TCP reset: a descriptor that is closed at once, with no time left to linger."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.server.connections.discard(self.connection)
        os.close(self.connection.detach())

    def json(self) -> dict:
        return json.loads(self.content)

    # The Hub

    def whoami(self) -> Answer:
        role = self._role()
        if role is None:
            raise Refused(401, UNKNOWN)
        token = {"type": "access_token", "accessToken": {"displayName": "tests", "role": role}}
        return _json({"type": "user", "id": "0", "name": "anna", "fullname": "Anna", "orgs": [], "auth": token})

    def validate_yaml(self) -> Answer:
        bare = not self.json()["content"].startswith("---")
        warning = {"message": "empty or missing yaml metadata in repo card"}
        return _json({"errors": [], "warnings": [warning] if bare else []})

    def create_repo(self) -> Answer:
        role, asked = self._role(), self.json()
        repo = f"{asked['organization'] or 'anna'}/{asked['name']}"
        url = {"url": f"{self.hub.endpoint}/{repo}", "name": repo}
        if role is None:
            raise Refused(401, UNKNOWN)
        if role != "write":
            raise Refused(403, f'You don\'t have the rights to create a model under the namespace "{repo}"')
        if repo in self.hub:
            return _json(url | {"error": "You already created this model repo"}, HTTPStatus.CONFLICT)
        self.hub.create(repo, {".gitattributes": GIT_ATTRIBUTES}, asked.get("visibility") == "private")
        return _json(url)

    def auth_check(self, repo: str) -> Answer:
        return _json({})

    def info(self, repo: str, revision: str = "main") -> Answer:
        commit, files = self._snapshot(repo, revision)
        blobs = self.query.get("blobs") == "true"
        siblings = [
            {"rfilename": file.path} | (file.describe("blobId", "sha256") if blobs else {}) for file in files.values()
        ]
        about = {"id": repo, "modelId": repo, "author": repo.split("/")[0], "private": self.hub.repo(repo).private}
        about |= {"sha": commit, "siblings": siblings, "tags": [], "gated": False, "disabled": False}
        return _json(about | {"lastModified": "2026-01-01T00:00:00.000Z"})

    def refs(self, repo: str) -> Answer:
        branches = {name: history[-1] for name, history in self.hub.repo(repo).branches.items()}
        kinds = {"branches": ("heads", branches), "tags": ("tags", self.hub.repo(repo).tags), "converts": ("", {})}
        return _json(
            {
                kind: [{"name": name, "ref": f"refs/{at}/{name}", "targetCommit": refs[name]} for name in refs]
                for kind, (at, refs) in kinds.items()
            }
        )

    def tree(self, repo: str, revision: str, path: str = "") -> Answer:
        commit, files = self._snapshot(repo, revision)
        prefix = path + "/" if path else ""
        entries = [entry for entry in _tree(files) if entry["path"].startswith(prefix)]
        if path and not entries:
            raise Refused(404, f"{path} does not exist on {revision}", "EntryNotFound", {"X-Repo-Commit": commit})
        if self.query.get("recursive") != "true":
            entries = [entry for entry in entries if "/" not in entry["path"][len(prefix) :]]
        start = int(self.query.get("cursor", 0))
        end = start + self.hub.page
        query = f"recursive={self.query.get('recursive', 'false')}&cursor={end}"
        link = {"Link": f'<{self.hub.endpoint}{self.path}?{query}>; rel="next"'} if end < len(entries) else {}
        return _json(entries[start:end], headers=link)

    def paths_info(self, repo: str, revision: str) -> Answer:
        _, files = self._snapshot(repo, revision)
        paths = parse_qs(self.content.decode())["paths"]
        return _json([entry for entry in _tree(files) if entry["path"] in paths])

    def create_tag(self, repo: str, revision: str) -> Answer:
        if self.json()["tag"] in self.hub.repo(repo).tags:
            raise Refused(409, "Tag reference exists already")
        self.hub.tag(repo, self.json()["tag"], revision)
        return _json({})

    def create_branch(self, repo: str, branch: str) -> Answer:
        if branch in self.hub.repo(repo).branches:
            raise Refused(409, "Reference already exists")
        self.hub.branch(repo, branch, self.json().get("startingPoint", "main"))
        return _json({})

    def resolve(self, repo: str, revision: str, path: str) -> Answer:
        commit, files = self._snapshot(repo, revision)
        headers = {"X-Repo-Commit": commit}
        if path not in files:
            raise Refused(404, "Entry not found", "EntryNotFound", headers)
        file = files[path]
        headers["X-Linked-Etag"] = f'"{file.etag}"'
        if not file.lfs:
            return Answer(file.content, headers | {"ETag": f'"{file.etag}"', "Accept-Ranges": "bytes"}, file=path)
        at = f"{self.hub.storage}/lfs/{file.sha256}/{quote(f'{repo}/{path}')}"
        headers |= {"X-Linked-Size": str(len(file.content)), "Location": at}
        return Answer(f"Found. Redirecting to {at}".encode(), headers, HTTPStatus.FOUND)

    def preupload(self, repo: str, revision: str) -> Answer:
        commit, files = self._snapshot(repo, revision)
        answers = []
        for asked in self.json()["files"]:
            mode = upload_mode(asked["path"], asked["size"], base64.b64decode(asked["sample"]))
            old = {"oid": files[asked["path"]].etag} if asked["path"] in files else {}
            answers.append({"path": asked["path"], "uploadMode": mode, "shouldIgnore": False} | old)
        return _json({"files": answers, "commitOid": commit})

    def lfs_batch(self, repo: str) -> Answer:
        verify = {"href": f"{self.hub.endpoint}/{repo}.git/info/lfs/objects/verify"}
        objects = []
        for asked in self.json()["objects"]:
            upload = {"href": f"{self.hub.storage}/lfs/{asked['oid']}"}
            known = asked["oid"] in self.hub.objects
            objects.append(asked | ({} if known else {"actions": {"upload": upload, "verify": verify}}))
        return _json({"transfer": "basic", "objects": objects})

    def lfs_verify(self, repo: str) -> Answer:
        if len(self.hub.objects.get(self.json()["oid"], b"")) != self.json()["size"]:
            raise Refused(404, "Object not found")
        return _json({})

    def create_commit(self, repo: str, branch: str) -> Answer:
        (_, header), *lines = ((line["key"], line["value"]) for line in map(json.loads, self.content.splitlines()))
        if branch not in self.hub.repo(repo).branches:
            raise Refused(404, f"Invalid rev id: {branch}", "RevisionNotFound")
        head = self.hub.history(repo, branch)[-1]
        if not head.startswith(header.get("parentCommit", "")):
            raise Refused(412, STALE)
        changes = self._changes(self.hub.files(repo, branch), lines)
        commit = self.hub.commit(repo, changes, branch)
        at = f"{self.hub.endpoint}/{repo}/commit/{commit}"
        return _json({"success": True, "commitOid": commit, "commitUrl": at, "hookOutput": "", "pullRequestUrl": None})

    def _changes(self, files: Mapping[str, bytes], lines: Iterable) -> dict[str, bytes | None]:
        changes: dict[str, bytes | None] = {}
        for key, value in lines:
            if key == "file":
                changes[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                changes[value["path"]] = self._object(value["oid"], 400)
            else:
                changes |= dict.fromkeys(_deleted(files, value["path"], key == "deletedFolder"))
        return changes

    def _snapshot(self, repo: str, revision: str) -> tuple[str, dict[str, File]]:
        commit = self.hub.repo(repo).resolve(revision)
        return commit, {path: File(path, content) for path, content in sorted(self.hub.files(repo, commit).items())}

    # The storage

    def _object(self, oid: str, status: int) -> bytes:
        if oid not in self.hub.objects:
            raise Refused(status, f"LFS object {oid} does not exist")
        return self.hub.objects[oid]

    def fetch(self, oid: str, name: str) -> Answer:
        self._unsigned()
        path = name.split("/", 2)[2]
        return Answer(self._object(oid, 404), {"ETag": f'"{oid[::-1]}"', "Accept-Ranges": "bytes"}, file=path)

    def store(self, oid: str) -> Answer:
        self._unsigned()
        if sha256(self.content).hexdigest() != oid:
            raise Refused(400, "The content does not have the hash that its address states")
        self.hub.objects[oid] = self.content
        return Answer()

    def _unsigned(self) -> None:
        """Storage takes signed addresses, so a token of the Hub must not come here."""
        if "Authorization" in self.headers:
            raise Refused(400, "Only one auth mechanism allowed")


def _json(content, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(json.dumps(content).encode(), {"Content-Type": "application/json"} | dict(headers or {}), status)


def _altered(answer: Answer) -> Answer:
    body = bytearray(answer.body)
    if answer.file is not None and body:
        body[len(body) // 2] ^= 1
    return Answer(bytes(body), answer.headers, answer.status, answer.file)


def _deleted(files: Mapping[str, bytes], path: str, folder: bool) -> list[str]:
    """The files that go with `path`."""
    gone = [name for name in files if (name.startswith(path.rstrip("/") + "/") if folder else name == path)]
    if not gone:
        raise Refused(404, "A file with this name doesn't exist", "EntryNotFound")
    return gone


def _tree(files: Mapping[str, File]) -> list[dict]:
    """Every file and folder, by path."""
    folders = {str(folder) for path in files for folder in PurePosixPath(path).parents} - {"."}
    entries = [{"type": "directory", "path": path, "oid": git_hash(path.encode()), "size": 0} for path in folders]
    entries += [{"type": "file", "path": path} | file.describe() for path, file in files.items()]
    return sorted(entries, key=lambda entry: entry["path"])


def _pattern(route: str) -> re.Pattern:
    """A route with its places: a repository is two segments, all others but the last are one."""
    kinds = {"repo": "[^/]+/[^/]+?", "path": ".+", "name": ".+"}
    return re.compile(re.sub(r"{(\w+)}", lambda place: f"(?P<{place[1]}>{kinds.get(place[1], '[^/]+')})", route))


ROUTES = [
    (methods.split(), _pattern(route), function)
    for methods, route, function in (
        ("GET", "/api/whoami-v2", _Handler.whoami),
        ("POST", "/api/validate-yaml", _Handler.validate_yaml),
        ("POST", "/api/repos/create", _Handler.create_repo),
        ("GET", "/api/models/{repo}", _Handler.info),
        ("GET", "/api/models/{repo}/revision/{revision}", _Handler.info),
        ("GET", "/api/models/{repo}/auth-check", _Handler.auth_check),
        ("GET", "/api/models/{repo}/refs", _Handler.refs),
        ("GET", "/api/models/{repo}/tree/{revision}", _Handler.tree),
        ("GET", "/api/models/{repo}/tree/{revision}/{path}", _Handler.tree),
        ("POST", "/api/models/{repo}/paths-info/{revision}", _Handler.paths_info),
        ("POST", "/api/models/{repo}/tag/{revision}", _Handler.create_tag),
        ("POST", "/api/models/{repo}/branch/{branch}", _Handler.create_branch),
        ("POST", "/api/models/{repo}/preupload/{revision}", _Handler.preupload),
        ("POST", "/api/models/{repo}/commit/{branch}", _Handler.create_commit),
        ("POST", r"/{repo}\.git/info/lfs/objects/batch", _Handler.lfs_batch),
        ("POST", r"/{repo}\.git/info/lfs/objects/verify", _Handler.lfs_verify),
        ("GET HEAD", "/{repo}/resolve/{revision}/{path}", _Handler.resolve),
        ("GET HEAD", "/lfs/{oid}/{name}", _Handler.fetch),
        ("PUT", "/lfs/{oid}", _Handler.store),
    )
]
WRITES = {_Handler.create_tag, _Handler.create_branch, _Handler.preupload, _Handler.create_commit}
WRITES |= {_Handler.lfs_batch, _Handler.lfs_verify}
