"""The Hub of the tests, asked by the real client: what it serves and takes, and what faults do to the client."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import httpx2 as httpx  # what the client speaks HTTP with
import pytest
from hf_server import GIT_ATTRIBUTES, HubServer, calm_client, git_hash
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, errors, snapshot_download
from huggingface_hub.file_download import hf_hub_download

REPO = "anna/zoo"
WEIGHTS = "tones/weights.safetensors"
FILES = {"index.json": b'{"format": 1}', WEIGHTS: bytes(range(256)) * 40, "tones/card.json": b"{}"}
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the client's own uploads of LFS


@pytest.fixture
def hub():
    with HubServer() as server:
        server.create(REPO, FILES)
        yield server


@pytest.fixture(autouse=True)
def naps(hub, monkeypatch, tmp_path):
    return calm_client(monkeypatch, tmp_path / "cache", hub)


@pytest.fixture
def download(hub, tmp_path):
    """`hf_hub_download` from the hub of the test, which returns bytes."""

    def call(name="index.json", repo=REPO, **options) -> bytes:
        options = {"endpoint": hub.endpoint, "cache_dir": tmp_path / "cache", "token": False} | options
        return Path(hf_hub_download(repo, name, **options)).read_bytes()

    return call


@pytest.fixture
def api(hub):
    return HfApi(hub.endpoint, token="hf_write")


def add(**files: bytes) -> list[CommitOperationAdd]:
    return [CommitOperationAdd(name.replace("_", "."), content) for name, content in files.items()]


def asked(hub, method: str) -> list[tuple[int, str | None]]:
    return [(request.status, request.range) for request in hub.requests if request.method == method]


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_downloaded_once_under_the_name_that_git_gives_its_content(hub, download, tmp_path, name):
    for _ in range(2):
        assert download(name) == FILES[name]
    assert hub.downloads == [name]
    known = sha256(FILES[name]).hexdigest() if name == WEIGHTS else git_hash(FILES[name])
    assert [path.name for path in tmp_path.glob("cache/models--*/blobs/*")] == [known]
    assert download(name, force_download=True) == FILES[name]
    assert hub.downloads == [name] * 2


def test_lfs_files_come_from_another_origin_that_sees_no_token(hub, download):
    assert download(WEIGHTS, token="hf_read") == FILES[WEIGHTS]
    head, get = hub.requests
    assert (head.method, head.status, head.authorised) == ("HEAD", 302, True)
    assert (get.path.split("/")[1], get.status, get.authorised) == ("lfs", 200, False)
    signed = httpx.get(hub.storage + get.path, headers={"Authorization": "Bearer hf_read"})
    assert signed.status_code == 400


def test_a_snapshot_of_a_commit_holds_its_files_and_fetches_no_other(hub, tmp_path):
    old = hub.history(REPO)[0]
    hub.commit(REPO, {"index.json": b"new"})
    where = {"endpoint": hub.endpoint, "cache_dir": tmp_path / "cache"}
    folder = Path(snapshot_download(REPO, revision=old, allow_patterns=["tones/*"], **where))
    assert {path.name for path in folder.rglob("*.*")} == {"weights.safetensors", "card.json"}
    assert sorted(hub.downloads) == ["tones/card.json", WEIGHTS]
    folder = Path(snapshot_download(REPO, revision=old, **where))
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert (Path(snapshot_download(REPO, **where)) / "index.json").read_bytes() == b"new"
    assert len(hub.downloads) == 4


def test_branches_tags_and_short_hashes_name_commits(hub, download, api):
    old = hub.history(REPO)[0]
    api.create_tag(REPO, tag="v1")
    api.create_branch(REPO, branch="try/out")
    new = hub.commit(REPO, {"index.json": b"new"})
    hub.commit(REPO, {"index.json": b"tried"}, branch="try/out")
    contents = [download(revision=name) for name in ("main", "v1", "try/out", old, new[:8])]
    assert contents == [b"new", FILES["index.json"], b"tried", FILES["index.json"], b"new"]
    refs = api.list_repo_refs(REPO)
    assert {ref.name: ref.target_commit for ref in refs.branches}["main"] == new
    assert [(ref.ref, ref.target_commit) for ref in refs.tags] == [("refs/tags/v1", old)]


@pytest.mark.parametrize("page", [2, 1000])
def test_listings_state_sizes_and_hashes(hub, api, page):
    hub.page = page
    assert api.list_repo_files(REPO) == sorted(FILES)
    top = {entry.path: entry for entry in api.list_repo_tree(REPO)}
    assert set(top) == {"index.json", "tones"}
    assert top["index.json"].blob_id == git_hash(FILES["index.json"])
    weights = next(entry for entry in api.list_repo_tree(REPO, "tones") if entry.path == WEIGHTS)
    assert (weights.size, weights.lfs.sha256) == (10240, sha256(FILES[WEIGHTS]).hexdigest())
    assert [entry.path for entry in api.get_paths_info(REPO, [WEIGHTS, "none"])] == [WEIGHTS]
    info = api.model_info(REPO, files_metadata=True)
    assert info.sha == api.repo_info(REPO, revision="main").sha == hub.history(REPO)[-1]
    assert {sibling.rfilename: sibling.blob_id for sibling in info.siblings}[WEIGHTS] == weights.blob_id


def test_a_commit_adds_regular_and_lfs_files_and_deletes_files_and_folders(hub, api):
    url = api.create_repo("anna/new", exist_ok=True)
    assert (url.repo_id, api.create_repo("anna/new", exist_ok=True)) == ("anna/new", url)
    content = add(index_json=b"[]", a_safetensors=b"\0" * 999, README_md=b"---\nlicense: mit\n---\n", empty_bin=b"")
    commit = api.create_commit("anna/new", content, commit_message="First")
    modes = {operation.path_in_repo: operation._upload_mode for operation in content}
    assert [name for name, mode in modes.items() if mode == "lfs"] == ["a.safetensors"]
    assert asked(hub, "PUT") == [(200, None)]
    files = {operation.path_in_repo: operation.path_or_fileobj for operation in content}
    assert hub.files("anna/new", commit.oid) == files | {".gitattributes": GIT_ATTRIBUTES}

    gone = [CommitOperationDelete("index.json"), CommitOperationDelete("tones/")]
    api.create_commit(REPO, [*gone, *add(x_json=b"1")], commit_message="Less")
    assert hub.files(REPO) == {"x.json": b"1"}
    assert len(hub.history(REPO)) == len(hub.history("anna/new")) == 2


def test_what_the_hub_has_is_not_uploaded_again(hub, api, tmp_path):
    (tmp_path / "folder" / "tones").mkdir(parents=True)
    for name, content in (FILES | {"copy.safetensors": FILES[WEIGHTS]}).items():
        (tmp_path / "folder" / name).write_bytes(content)
    api.upload_folder(repo_id=REPO, folder_path=tmp_path / "folder")
    assert hub.files(REPO) == FILES | {"copy.safetensors": FILES[WEIGHTS]}
    assert asked(hub, "PUT") == []
    api.upload_folder(repo_id=REPO, folder_path=tmp_path / "folder")
    assert len(hub.history(REPO)) == 2


def test_a_stale_parent_is_refused_and_of_four_writers_one_wins(hub, api):
    head = hub.history(REPO)[-1]

    def write(number: int) -> str:
        try:
            api.create_commit(REPO, add(x_json=b"%d" % number), commit_message="Race", parent_commit=head)
        except errors.HfHubHTTPError as error:
            return f"{error.response.status_code} {error.server_message}"
        return ""

    with ThreadPoolExecutor(4) as pool:
        stale = "412 A commit has happened since. Please refresh and try again."
        assert sorted(pool.map(write, range(4))) == ["", *[stale] * 3]
    assert len(hub.history(REPO)) == 2
    api.create_commit(REPO, add(x_json=b"9"), commit_message="On top", parent_commit=hub.history(REPO)[-1])
    assert hub.files(REPO)["x.json"] == b"9"


def test_a_card_without_metadata_is_warned_of(api):
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        api.create_commit(REPO, add(README_md=b"# Zoo"), commit_message="Card")


@pytest.mark.parametrize("token", [False, "hf_read"])
@pytest.mark.parametrize(
    ("places", "error"),
    [
        ({"repo": "anna/none"}, errors.RepositoryNotFoundError),
        ({"revision": "none"}, errors.RevisionNotFoundError),
        ({"revision": "0" * 40}, errors.RevisionNotFoundError),
        ({"name": "none.json"}, errors.RemoteEntryNotFoundError),
    ],
)
def test_what_is_missing_is_named(download, token, places, error):
    with pytest.raises(error, match=f"Not Found for url: .*{next(iter(places.values()))}") as info:
        download(token=token, **places)
    assert info.value.response.status_code == (401 if "repo" in places and not token else 404)


def test_writing_to_what_is_missing_is_refused(hub, api):
    for places, error in (
        (("anna/none", None), errors.RepositoryNotFoundError),
        ((REPO, "x"), errors.RevisionNotFoundError),
    ):
        with pytest.raises(error, match="Not Found for url: "):
            api.create_commit(places[0], add(x_json=b"1"), commit_message="No", revision=places[1])
    for path in ("none.json", "none/"):
        with pytest.raises(errors.EntryNotFoundError, match="A file with this name doesn't exist"):
            api.create_commit(REPO, [CommitOperationDelete(path)], commit_message="No")
    assert len(hub.history(REPO)) == 1


def test_a_private_repository_wants_a_token(hub, download):
    hub.create("anna/own", FILES, private=True)
    assert download(repo="anna/own", token="hf_read") == FILES["index.json"]
    with pytest.raises(errors.RepositoryNotFoundError, match="401 Client Error"):
        HfApi(hub.endpoint, token=False).repo_info("anna/own")
    with pytest.raises(errors.RepositoryNotFoundError, match="401 Client Error"):
        download("tones/card.json", repo="anna/own")


def test_a_wrong_token_is_refused_even_where_none_is_needed(download):
    with pytest.raises(errors.HfHubHTTPError, match="Invalid credentials") as info:
        download(token="hf_wrong")
    assert (type(info.value), info.value.response.status_code) == (errors.HfHubHTTPError, 401)


@pytest.mark.parametrize(("token", "status"), [(False, 401), ("hf_wrong", 401), ("hf_read", 403)])
def test_writing_wants_a_token_that_writes(hub, token, status):
    api = HfApi(hub.endpoint, token=token)
    calls = [
        lambda: api.create_commit(REPO, add(x_json=b"1"), commit_message="No"),
        lambda: api.create_commit(REPO, [CommitOperationDelete("index.json")], commit_message="No"),
        lambda: api.create_repo("anna/new", exist_ok=True),
    ]
    for call in calls:
        with pytest.raises(errors.HfHubHTTPError, match=str(status)) as info:
            call()
        assert info.value.response.status_code == status
    assert (hub.files(REPO), "anna/new" in hub) == (FILES, False)


def test_tokens_have_roles(hub):
    assert HfApi(hub.endpoint).whoami("hf_read")["auth"]["accessToken"]["role"] == "read"
    hub.tokens["hf_new"] = "write"
    assert HfApi(hub.endpoint).whoami("hf_new")["name"] == "anna"
    with pytest.raises(errors.HfHubHTTPError, match="Invalid user token"):
        HfApi(hub.endpoint).whoami("hf_wrong")


@pytest.mark.parametrize("name", ["index.json", WEIGHTS])
def test_a_dropped_download_goes_on_where_it_ended(hub, download, naps, monkeypatch, name):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4)  # what the client has not got whole it asks for again
    hub.fail(f"GET .*{name}", drop=6)
    assert download(name) == FILES[name]
    assert asked(hub, "GET") == [(200, None), (206, "bytes=4-")]
    assert (naps, hub.downloads) == ([1], [name, name])


def test_ranges_are_parts(hub):
    def part(span: str) -> tuple[int, bytes]:
        answer = httpx.get(f"{hub.endpoint}/{REPO}/resolve/main/index.json", headers={"Range": f"bytes={span}"})
        return answer.status_code, answer.content

    content = FILES["index.json"]
    assert [part(span) for span in ("2-4", "-3", "10-99")] == [
        (206, content[at]) for at in (slice(2, 5), slice(-3, None), slice(10, None))
    ]
    assert part("99-")[0] == 416


@pytest.mark.parametrize(
    ("fault", "error", "said", "attempts"),
    [
        ({"drop": 5}, httpx.RemoteProtocolError, "received 5 bytes, expected 13", 6),
        ({"hang_up": True}, httpx.RemoteProtocolError, "without sending a response", 6),
        ({"drop": 5, "reset": True}, httpx.ReadError, "reset by peer", 1),
        ({"status": 500}, errors.HfHubHTTPError, "500 Internal Server Error", 1),
        ({"status": 429}, errors.HfHubHTTPError, "429 Too Many Requests", 6),
    ],
)
def test_a_body_that_never_comes_is_an_error_and_leaves_no_file(hub, download, tmp_path, fault, error, said, attempts):
    hub.fail("GET ", times=None, **fault)
    with pytest.raises(error, match=said):
        download()
    assert len(asked(hub, "GET")) == attempts
    assert not list(tmp_path.glob("cache/models--*/blobs/*"))
    hub.heal()
    assert download() == FILES["index.json"]


def test_a_server_error_is_tried_again_and_then_told(hub, download, naps):
    hub.fail("HEAD ", status=503)
    assert download() == FILES["index.json"]
    assert asked(hub, "HEAD") == [(503, None), (200, None)]
    hub.fail("HEAD ", times=None, status=500)
    with pytest.raises(errors.LocalEntryNotFoundError, match="cannot find the requested files") as info:
        download("tones/card.json")
    assert info.value.__cause__.response.status_code == 500
    assert naps == [1, 2, 4, 8, 8]
    assert download() == FILES["index.json"]  # from the cache


def test_an_altered_file_passes_the_client(hub, download):
    hub.fail("GET ", alter=True)
    content = download()
    assert [ours != theirs for ours, theirs in zip(content, FILES["index.json"], strict=True)].count(True) == 1
    assert download() == content
    assert download(force_download=True) == FILES["index.json"]


def test_a_slow_answer_is_asked_for_again(hub, download):
    hub.fail("HEAD ", delay=5)
    assert download(etag_timeout=0.05) == FILES["index.json"]


def test_a_server_that_is_not_there_is_an_error_offline_or_not(download, monkeypatch):
    unreachable = {"endpoint": "http://127.0.0.1:9"}
    with pytest.raises(httpx.ConnectError, match="refused"):
        HfApi("http://127.0.0.1:9").repo_info(REPO)
    with pytest.raises(errors.LocalEntryNotFoundError, match="cannot find the requested files") as info:
        download(**unreachable)
    assert isinstance(info.value.__cause__, httpx.ConnectError)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(errors.LocalEntryNotFoundError, match="cannot find the requested files") as info:
        download()
    assert isinstance(info.value.__cause__, errors.OfflineModeIsEnabled)


def test_a_commit_whose_answer_is_lost_is_made_and_one_that_fails_is_not(hub, api):
    hub.fail("/commit/", status=500)
    with pytest.raises(errors.HfHubHTTPError, match="500 Internal Server Error"):
        api.create_commit(REPO, add(x_json=b"1"), commit_message="Failed")
    assert len(hub.history(REPO)) == 1
    hub.fail("/commit/", hang_up=True)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        api.create_commit(REPO, add(x_json=b"1"), commit_message="Lost")
    assert hub.files(REPO)["x.json"] == b"1"


def test_an_upload_is_tried_again_and_then_told(hub, api, naps):
    hub.fail("PUT ", status=500)
    api.create_commit(REPO, add(a_bin=b"\0a"), commit_message="Second attempt")
    hub.fail("PUT ", times=None, status=500)
    with pytest.raises(RuntimeError, match=r"Error while uploading 'b\.bin'") as info:
        api.create_commit(REPO, add(b_bin=b"\0b"), commit_message="No attempt")
    assert isinstance(info.value.__cause__, errors.HfHubHTTPError)
    assert (len(hub.history(REPO)), naps) == (2, [1, 1, 2, 4, 8, 8])


def test_an_error_may_have_a_code_and_headers(hub, download, naps):
    hub.fail("HEAD ", status=404, code="EntryNotFound")
    with pytest.raises(errors.RemoteEntryNotFoundError):
        download()
    hub.fail("HEAD ", status=429, headers={"Retry-After": "30"}, times=2)
    assert download() == FILES["index.json"]
    assert naps == [31.0]


def test_faults_count_and_the_log_is_forgotten(hub, download):
    hub.fail(r"GET .*card\.json", times=2, status=404)
    assert download() == FILES["index.json"]
    for _ in range(2):
        with pytest.raises(errors.HfHubHTTPError, match="404 Not Found"):
            download("tones/card.json")
    assert download("tones/card.json") == b"{}"
    hub.forget()
    assert hub.requests == []


def test_another_process_asks_the_hub_by_its_environment(hub, tmp_path):
    code = f"import huggingface_hub as h; print(open(h.hf_hub_download({REPO!r}, 'index.json')).read())"
    hub.tokens = {"hf_own": "read"}
    environment = hub.environment(tmp_path, token="hf_own")
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.encode().strip() == FILES["index.json"]
    assert {request.authorised for request in hub.requests} == {True}
