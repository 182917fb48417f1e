"""Hubs at hf:// addresses: the real client against a real server on loopback, as users meet it, faults included."""

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hf_server import HubServer, calm_client
from huggingface_hub import constants, file_download
from last_steps import AGAIN, counted, files
from named import sized, smallest

import zoo
from supernet.constants import SUPERNET_SCHEMA
from supernet.errors import HubUnavailable, InvalidPackage, InvalidQuery, UnknownName
from supernet.files import digest, load_tensors, read_json, tensors_to_bytes
from supernet.frontend.mfcc import Mfcc
from supernet.space import default_space
from zoo.cli import main
from zoo.hubs.address import open_hub
from zoo.hubs.folder import BUNDLED
from zoo.make import package as making
from zoo.make import renew
from zoo.make.publish import publish, unpublish
from zoo.make.search import supernet_digests
from zoo.make.sync import sync
from zoo.make.verify import verify

REPO = "anna/zoo"
ADDRESS = f"hf://{REPO}"
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the client's own uploads


@pytest.fixture
def server():
    with HubServer() as server:
        yield server


@pytest.fixture(autouse=True)
def naps(server, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", "hf_write")
    naps = calm_client(monkeypatch, tmp_path / "cache", server)
    monkeypatch.setenv("HF_TOKEN", "hf_write")
    return naps


@pytest.fixture
def hub(server, bundle, naps):
    """A hub of two models, as it was before any test reads it."""
    files = {path.relative_to(bundle).as_posix(): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}
    server.create(REPO, {name: data for name, data in files.items() if not name.startswith(".")})
    return server


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Two models of the bundled hub, in a folder."""
    folder = tmp_path_factory.mktemp("hub") / "bundle"
    sync(BUNDLED, folder, name=sized(smallest(4)).replace("w*", "w[48]a8-*"))
    return folder


def test_a_look_up_downloads_the_index_and_the_chosen_model_alone(hub):
    model = zoo.get("kws", bits=4, hub=ADDRESS)
    model.verify()
    commit = hub.history(REPO)[-1]
    assert model.hub == f"{ADDRESS}@{commit}"
    folder = f"models/{model.name}/"
    assert set(hub.downloads) == {"index.json"} | {
        folder + file for file in ("config.json", *read_json(model.path / "config.json")["digests"])
    }
    hub.forget()
    zoo.get("kws", bits=4, hub=ADDRESS)
    assert hub.downloads == []
    assert zoo.get("kws", bits=8, hub=[ADDRESS]).entry.bits == 8


def test_a_device_asks_for_costs_alone(hub):
    model = zoo.get("kws", device="stm32f746-tflm-cmsis-nn", max_latency_ms=1000, hub=ADDRESS)
    assert model.figure.latency_ms <= 1000
    names = {file.split("/")[1] for file in hub.downloads if file.endswith("model.safetensors")}
    assert names == {model.name}


def test_a_revision_is_pinned_for_the_index_and_the_models(hub):
    before = hub.history(REPO)[-1]
    place = open_hub(ADDRESS)
    gone = place.entries[0]
    unpublish(gone.name, ADDRESS)
    assert [entry.name for entry in open_hub(ADDRESS).entries] == [place.entries[1].name]
    assert place.path(gone).is_dir()
    old = open_hub(f"{ADDRESS}@{before}")
    assert [entry.name for entry in old.entries] == [entry.name for entry in place.entries]
    assert zoo.info(gone.name, hub=f"{ADDRESS}@{before[:8]}").hub == f"{ADDRESS}@{before}"


def test_what_is_in_the_cache_answers_offline(hub, monkeypatch):
    name = zoo.get("kws", bits=4, hub=ADDRESS).name
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.forget()
    zoo.get("kws", bits=4, hub=ADDRESS).verify()
    assert zoo.get(name=name, hub=ADDRESS).name == name
    assert hub.requests == []
    with pytest.raises(HubUnavailable, match="HF_HUB_OFFLINE"):
        zoo.get("kws", bits=8, hub=ADDRESS)


@pytest.mark.parametrize(
    ("address", "error", "said"),
    [
        ("hf://anna/none", UnknownName, "no such repository, or a private one; log in"),
        (f"{ADDRESS}@none", UnknownName, "no revision none"),
        ("hf://anna", InvalidQuery, "give hf://OWNER/NAME"),
        ("hf://anna/../zoo", InvalidQuery, "give hf://OWNER/NAME"),
        (f"{ADDRESS}@../x", InvalidQuery, "give hf://OWNER/NAME"),
        ("hf://anna/empty", UnknownName, r"has no file index\.json; is it a hub of Earshot"),
    ],
)
def test_what_is_not_there_is_named(hub, address, error, said, capsys):
    hub.create("anna/empty", {"README.md": b"---\nlicense: mit\n---\n"})
    with pytest.raises(error, match=said):
        zoo.get("kws", hub=address)
    assert main(["get", "--task", "kws", "--hub", address]) == (2 if error is InvalidQuery else 1)
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(("token", "said"), [("hf_wrong", "refused the token"), (None, "private one; log in")])
def test_a_private_hub_wants_a_token(server, bundle, monkeypatch, token, said):
    server.create("anna/own", {"index.json": (bundle / "index.json").read_bytes()}, private=True)
    assert len(open_hub("hf://anna/own").entries) == 2
    shutil.rmtree(constants.HF_HUB_CACHE)
    monkeypatch.setenv("HF_TOKEN", token) if token else monkeypatch.delenv("HF_TOKEN")
    with pytest.raises((HubUnavailable, UnknownName), match=said):
        open_hub("hf://anna/own")


def test_a_dropped_connection_goes_on_and_one_that_is_lost_is_told(hub, monkeypatch):
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 64)
    hub.fail(r"GET .*model\.safetensors", drop=1000)
    zoo.get("kws", bits=4, hub=ADDRESS).verify()
    ranges = [request.range for request in hub.requests if request.range]
    assert ranges
    assert all(int(span.removeprefix("bytes=").removesuffix("-")) > 0 for span in ranges)
    hub.fail("GET .*config", drop=10, times=None)
    with pytest.raises(HubUnavailable, match="cannot be reached"):
        zoo.get("kws", bits=8, hub=ADDRESS)
    hub.heal()
    zoo.get("kws", bits=8, hub=ADDRESS).verify()


def test_an_altered_file_is_downloaded_again_and_refused_where_it_stays_so(hub):
    hub.fail(r"GET .*model\.safetensors", alter=True)
    zoo.get("kws", bits=4, hub=ADDRESS).verify()
    hub.fail(r"GET .*config\.json", alter=True, times=None)
    with pytest.raises(InvalidPackage, match="digest differs"):
        zoo.get("kws", bits=8, hub=ADDRESS)


def test_a_server_that_fails_is_told(hub, naps):
    hub.fail("HEAD ", status=503)
    assert zoo.get("kws", hub=ADDRESS)
    shutil.rmtree(constants.HF_HUB_CACHE)
    hub.fail("HEAD ", status=500, times=None)
    with pytest.raises(HubUnavailable, match="answered HTTP 500; try again later"):
        zoo.get("kws", hub=ADDRESS)


def test_a_server_that_is_not_there_is_told(hub, monkeypatch, tmp_path):
    calm_client(monkeypatch, tmp_path / "other")
    with pytest.raises(HubUnavailable, match="cannot be reached"):
        zoo.get("kws", hub=ADDRESS)


def test_publishing_makes_the_repository_and_writes_all_in_one_commit(server, bundle, package):
    hub = publish([package], ADDRESS)
    assert [entry.name for entry in hub.entries] == [package.name]
    assert len(server.history(REPO)) == 2
    publish(sorted((bundle / "models").iterdir()), ADDRESS)
    assert len(server.history(REPO)) == 3
    assert {one.problem for one in verify(ADDRESS)} == {None}
    files = server.files(REPO)
    assert files[f"models/{package.name}/model.safetensors"] == (package / "model.safetensors").read_bytes()
    unpublish([package.name], ADDRESS)
    assert not any(package.name in file for file in server.files(REPO))
    with pytest.raises(UnknownName, match=package.name):
        unpublish([package.name], ADDRESS)


def test_a_hub_goes_there_and_back_byte_for_byte(server, bundle, tmp_path):
    names = sync(bundle, ADDRESS)
    assert len(names) == 2
    assert sync(bundle, ADDRESS) == []
    assert sorted(sync(ADDRESS, tmp_path / "back")) == sorted(names)
    for path in bundle.glob("models/*/*"):
        assert path.read_bytes() == (tmp_path / "back" / path.relative_to(bundle)).read_bytes()
    assert (tmp_path / "back" / "index.json").read_bytes() == (bundle / "index.json").read_bytes()


@pytest.mark.parametrize(("token", "said"), [("hf_read", "HTTP 403"), ("hf_wrong", "HTTP 401")])
def test_publishing_wants_a_token_that_writes(hub, package, monkeypatch, token, said):
    before = hub.files(REPO)
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(HubUnavailable, match=said):
        publish(package, ADDRESS)
    assert hub.files(REPO) == before


def test_a_refusal_is_no_success_though_the_hub_has_the_models_already(hub, bundle, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_read")
    packages = sorted((bundle / "models").iterdir())
    with pytest.raises(HubUnavailable, match="HTTP 403"):
        publish(packages, ADDRESS)


def test_a_commit_whose_answer_is_lost_is_found(hub, package):
    hub.fail("/commit/", hang_up=True)
    assert package.name in publish(package, ADDRESS).index.values("name")
    assert len(hub.history(REPO)) == 2


def test_a_page_of_somebodys_own_is_left_as_it_is(server, bundle):
    page = b"---\nlicense: mit\n---\n# My own page\n"
    server.create(REPO, {"README.md": page})
    sync(bundle, ADDRESS)
    assert server.files(REPO)["README.md"] == page


def test_figures_are_not_written_into_the_cache(hub, capsys):
    assert main(["profile", "costs", "--hub", ADDRESS]) == 2
    assert "not writable; `earshot sync` copies it" in capsys.readouterr().err


def test_a_failed_upload_leaves_the_hub_as_it_was(hub, package):
    before = hub.files(REPO)
    hub.fail("PUT ", status=500, times=None)
    with pytest.raises(HubUnavailable, match="HTTP 500"):
        publish(package, ADDRESS)
    assert hub.files(REPO) == before


def test_what_was_measured_for_a_hub_that_cannot_be_reached_is_kept(
    server, package, speech_folder, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("supernet.data.speech_commands.CACHE", tmp_path / "cache")
    monkeypatch.setattr(renew, "device_figures", lambda archs, task: [{} for _ in archs])
    monkeypatch.chdir(tmp_path)
    arguments = ["publish", str(package), "--data", str(speech_folder), "--hub", ADDRESS]
    server.fail("/commit/", status=500, times=None)
    assert main(arguments) == 1
    [run] = Path("runs").iterdir()
    assert capsys.readouterr().err.strip().splitlines()[-1] == (
        f"earshot: hub {ADDRESS}: answered HTTP 500; try again later; what was made is in {run}: {AGAIN}"
    )
    server.heal()
    measured = counted(monkeypatch, making, "accuracy_figures")
    assert main(arguments) == 0
    assert measured == []
    assert not Path("runs").exists()
    publish(package, f"{ADDRESS}-other", data=speech_folder)
    same = [{name: data for name, data in server.files(repo).items() if name != "README.md"}
            for repo in (REPO, f"{REPO}-other")]  # fmt: skip
    assert same[0] == same[1]


def test_what_was_downloaded_before_the_hub_was_lost_is_not_downloaded_again(hub, bundle, tmp_path, capsys):
    first, second = (entry.name for entry in open_hub(bundle).entries)
    hub.fail(f"{second}/model.safetensors", drop=10, times=None)
    assert main(["sync", ADDRESS, str(tmp_path / "copy")]) == 1
    assert (
        capsys.readouterr()
        .err.strip()
        .splitlines()[-1]
        .endswith(f"what was made is in {constants.HF_HUB_CACHE}: {AGAIN}")
    )
    hub.heal()
    hub.forget()
    assert main(["sync", ADDRESS, str(tmp_path / "copy")]) == 0
    assert not [file for file in hub.downloads if first in file]
    assert {name for name in files(tmp_path / "copy") if name in files(bundle)} == set(files(bundle))


def test_two_publishers_at_once_lose_nothing(server, bundle, tmp_path):
    """Each commits on what it has read; the later one of two has to read again."""
    server.create(REPO, {"README.md": b"---\nlicense: mit\n---\n"})
    environment = server.environment(tmp_path / "home", token="hf_write")
    code = "import sys, zoo; zoo.publish(sys.argv[1], sys.argv[2])"
    packages = sorted((bundle / "models").iterdir())
    commands = [[sys.executable, "-W", "ignore", "-c", code, str(package), ADDRESS] for package in packages]
    started = [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for command in commands]
    assert [process.wait() for process in started] == [0, 0]
    assert {entry.name for entry in open_hub(ADDRESS).entries} == {package.name for package in packages}


FAULTS = [
    *({"status": status} for status in (401, 403, 404, 408, 429, 500, 502, 503, 504)),
    {"status": 401, "code": "RepoNotFound"}, {"hang_up": True}, {"hang_up": True, "reset": True},
]  # fmt: skip
FEW = [{"status": 403}, {"status": 503}, {"status": 404}, {"hang_up": True}]


def faulty(faults):
    return pytest.mark.parametrize("fault", faults, ids=lambda fault: "-".join(map(str, fault.items())))


DEVICE = "stm32f746-tflm-cmsis-nn"


@pytest.fixture
def stocked(hub):
    """The hub with two supernets, of few weights."""
    stated = {"schema": SUPERNET_SCHEMA, "tasks": {"kws": {"labels": ["up", "down"]}}, "frontend": Mfcc().to_dict()}
    for name in ("one", "two"):
        parts = ("trunk.safetensors", "calibration.safetensors", "heads/kws.safetensors")
        files = {part: tensors_to_bytes({"numbers": np.arange(3)}, {"of": name}) for part in parts}
        digests = {part: digest(data) for part, data in files.items()}
        config = {**stated, "space": default_space("temporal", 2).to_dict(), "digests": digests}
        files["config.json"] = json.dumps(config).encode()
        hub.commit(REPO, {f"supernets/{name}/{file}": data for file, data in files.items()})
    return hub


@faulty(FAULTS)
def test_supernets_that_cannot_be_asked_for_are_not_taken_for_none(stocked, tmp_path, capsys, fault):
    stocked.fail("/tree/|HEAD .*supernets/", times=None, **fault)
    assert main(["sync", ADDRESS, str(tmp_path / "copy"), "--supernets", "--task", "kws"]) == 1
    assert f"earshot: hub {ADDRESS}: supernets: " in capsys.readouterr().err
    assert not (tmp_path / "copy").exists()
    with pytest.raises(HubUnavailable, match=f"hub {ADDRESS}: supernets: "):
        supernet_digests(ADDRESS)
    stocked.heal()
    assert len(supernet_digests(ADDRESS)) == 2


@faulty(FEW)
def test_a_supernet_that_cannot_be_downloaded_is_not_left_out(stocked, tmp_path, capsys, fault):
    stocked.fail("HEAD .*supernets/two/config", times=None, **fault)
    assert main(["sync", ADDRESS, str(tmp_path / "copy"), "--supernets"]) == 1
    assert f"earshot: hub {ADDRESS}: " in capsys.readouterr().err
    assert not (tmp_path / "copy").exists()
    stocked.heal()
    assert main(["sync", ADDRESS, str(tmp_path / "copy"), "--supernets"]) == 0
    assert {path.name for path in (tmp_path / "copy" / "supernets").iterdir()} == {"one", "two"}


@faulty(FEW)
def test_figures_that_cannot_be_asked_for_are_not_taken_for_none(stocked, capsys, fault):
    stocked.fail(r"costs\.json", times=None, **fault)
    wish = ["--task", "kws", "--device", DEVICE, "--max-latency-ms", "1000", "--hub", ADDRESS]
    assert main(["get", *wish]) == 1
    said = capsys.readouterr()
    assert f"earshot: hub {ADDRESS}: " in said.err
    assert "costs.json" in said.err or "log in" in said.err
    assert said.out == ""
    with pytest.raises(HubUnavailable):
        zoo.info(open_hub(ADDRESS).entries[0].name, hub=ADDRESS)
    stocked.heal()
    assert main(["get", *wish]) == 0


@faulty(FEW)
def test_a_page_that_cannot_be_asked_for_is_not_written_over(stocked, fault):
    before = stocked.commit(REPO, {"README.md": b"---\nlicense: mit\n---\n# My own page\n"})
    stocked.fail(r"README\.md", times=None, **fault)
    with pytest.raises(HubUnavailable, match=ADDRESS):
        sync(BUNDLED, ADDRESS, name=smallest(2))
    assert stocked.history(REPO)[-1] == before


@faulty(FEW)
def test_an_index_that_cannot_be_asked_for_is_not_taken_for_an_empty_one(stocked, package, fault):
    before = stocked.history(REPO)
    stocked.fail(r"index\.json|GET /api/models/anna/zoo$", times=None, **fault)
    for act in (lambda: publish(package, ADDRESS), lambda: sync(BUNDLED, ADDRESS, name=smallest(2))):
        with pytest.raises((HubUnavailable, UnknownName), match=ADDRESS):
            act()
    assert stocked.history(REPO) == before


@pytest.mark.parametrize("path", ["/tree/", "HEAD .*supernets/one/config"])
def test_a_hub_that_never_answers_is_given_up(stocked, monkeypatch, path):
    place = open_hub(ADDRESS)
    stocked.fail(path, times=None, delay=600)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.05)
    monkeypatch.setattr(file_download, "_ETAG_RETRY_TIMEOUT", 0.05)
    with pytest.raises(HubUnavailable, match="timed out"):
        place.supernets()


def test_what_a_hub_lists_is_not_absent_whatever_it_answers(stocked, package):
    before = stocked.history(REPO)
    for file in ("index.json", "costs.json", "README.md"):
        stocked.fail(file, times=None, status=404, code="EntryNotFound")
    name = open_hub(BUNDLED).entries[0].name
    with pytest.raises(HubUnavailable, match=r"lists index\.json, but answers HTTP 404"):
        zoo.find("kws", hub=ADDRESS)
    with pytest.raises(HubUnavailable, match=r"lists index\.json, but answers HTTP 404"):
        publish(package, ADDRESS)
    assert stocked.history(REPO) == before
    stocked.heal()
    name = open_hub(ADDRESS).entries[0].name
    stocked.fail("costs.json", times=None, status=404, code="EntryNotFound")
    with pytest.raises(HubUnavailable, match=r"lists models/.*costs\.json, but"):
        zoo.info(name, hub=ADDRESS)


def test_what_is_absent_is_known_offline_as_well(hub, monkeypatch):
    name = open_hub(ADDRESS).entries[0].name
    hub.commit(REPO, {f"models/{name}/costs.json": None})
    assert zoo.info(name, hub=ADDRESS).devices == {}
    assert zoo.open_hub(ADDRESS).supernets() == ()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert zoo.info(name, hub=ADDRESS).devices == {}


def test_a_model_of_which_a_file_is_absent_is_told(hub):
    entry = open_hub(ADDRESS).entries[0]
    hub.commit(REPO, {f"models/{entry.name}/model.safetensors": None})
    with pytest.raises(InvalidPackage, match=r"has no file models/.*model\.safetensors, which belongs"):
        zoo.get(name=entry.name, hub=ADDRESS)


def test_offline_a_part_of_a_hub_is_not_taken_for_all_of_it(stocked, monkeypatch, tmp_path, capsys, caplog):
    model = zoo.get("kws", hub=ADDRESS)
    caplog.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for arguments in (
        ["sync", ADDRESS, str(tmp_path / "copy"), "--supernets", "--name", model.name],
        ["get", "--task", "kws", "--device", DEVICE, "--max-latency-ms", "1000", "--hub", ADDRESS],
    ):
        assert main(arguments) == 1
        assert "HF_HUB_OFFLINE forbids" in capsys.readouterr().err
    assert not (tmp_path / "copy").exists()
    assert "taken from the cache, as it was at commit" in caplog.text
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    assert main(["sync", ADDRESS, str(tmp_path / "copy"), "--supernets"]) == 0
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["sync", ADDRESS, str(tmp_path / "other"), "--supernets"]) == 0
    assert files(tmp_path / "copy") == files(tmp_path / "other")


@faulty([{"status": 503}, {"status": 429}, {"hang_up": True}])
def test_what_is_of_the_cache_is_said_to_be(stocked, caplog, fault):
    known = zoo.find("kws", hub=ADDRESS)
    assert not caplog.records
    stocked.fail("", times=None, **fault)
    assert zoo.find("kws", hub=ADDRESS) == known
    [record] = [record for record in caplog.records if record.name.startswith("zoo")]
    said = record.getMessage()
    assert said.startswith(f"hub {ADDRESS}: ")
    assert f"taken from the cache, as it was at commit {stocked.history(REPO)[-1][:8]}" in said


@faulty([{"status": 403}, {"status": 401, "code": "RepoNotFound"}])
def test_a_refusal_is_not_answered_from_the_cache(stocked, fault):
    zoo.find("kws", hub=ADDRESS)
    stocked.fail("", times=None, **fault)
    with pytest.raises((HubUnavailable, UnknownName), match="log in"):
        zoo.find("kws", hub=ADDRESS)


def test_a_hub_that_asks_to_wait_is_waited_for_and_its_time_is_told(hub, naps):
    hub.fail("HEAD .*index", status=429, headers={"Retry-After": "7"}, times=2)
    assert len(zoo.find("kws", hub=ADDRESS)) == 2
    assert 8.0 in naps  # the client waits a second more
    hub.fail("/api/models/", status=429, headers={"Retry-After": "7"}, times=None)
    with pytest.raises(HubUnavailable, match=r"answered HTTP 429; try again in 7 s$"):
        publish([], ADDRESS)


def test_a_cache_that_cannot_be_written_is_told_as_such(hub, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    assert main(["list", "--task", "kws", "--hub", ADDRESS]) == 1
    said = capsys.readouterr().err
    assert f"the cache of downloads cannot be used ({tmp_path / 'file'}" in said
    assert "set HF_HOME to another folder" in said
    assert "reached" not in said


def test_a_full_disk_under_the_cache_is_told_as_such(hub):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.raises(HubUnavailable, match="the cache of downloads cannot be used"):
            zoo.find("kws", hub=ADDRESS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(zoo.find("kws", hub=ADDRESS)) == 2


def test_an_index_that_was_altered_on_its_way_is_downloaded_again(hub):
    hub.fail(r"GET .*index\.json", alter=True)
    assert len(zoo.find("kws", hub=ADDRESS)) == 2


def test_nothing_is_asked_of_a_hub_after_it_took_a_commit(hub, package):
    place = publish(package, ADDRESS)
    assert hub.requests[-1].path.endswith("/commit/main")
    assert place.entries == open_hub(ADDRESS).entries
    assert place.address == f"{ADDRESS}@{hub.history(REPO)[-1]}"


@pytest.mark.parametrize("command", ["publish", "sync"])
@pytest.mark.parametrize("public", [False, True])
def test_a_repository_is_made_private_unless_it_is_to_be_public(server, bundle, package, capsys, command, public):
    arguments = [str(package), "--hub", ADDRESS] if command == "publish" else [str(bundle), ADDRESS]
    word = "public" if public else "private"
    assert main([command, *arguments, *["--public"] * public]) == 0
    assert server.repo(REPO).private is not public
    assert f"({word})" in capsys.readouterr().out
    assert main([command, *arguments, "--format", "json", *["--public"] * (not public)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["visibility"] == word
    assert server.repo(REPO).private is not public


@pytest.mark.parametrize("public", [False, True])
def test_who_sees_a_repository_that_is_there_is_not_changed(server, bundle, public, caplog, capsys):
    for private in (False, True):
        server.create(REPO, {"README.md": b""}, private=private)
        word = "private" if private else "public"
        assert main(["sync", str(bundle), ADDRESS, *["--public"] * public]) == 0
        assert capsys.readouterr().out.endswith(f"copied 2 to {ADDRESS} ({word})\n")
        assert server.repo(REPO).private is private
        assert ("is private and stays so" in caplog.text) is (public and private)
        assert unpublish(open_hub(ADDRESS).entries[0].name, ADDRESS).visibility == word


def test_no_repository_is_made_for_what_cannot_be_published(server, package, tmp_path):
    broken = shutil.copytree(package, tmp_path / package.name)
    (broken / "model.safetensors").write_bytes(b"x")
    for act, error in (
        (lambda: publish(broken, ADDRESS), InvalidPackage),
        (lambda: publish(package, f"{ADDRESS}@branch"), UnknownName),
        (lambda: publish(package, tmp_path / "hub", public=True), InvalidQuery),
        (lambda: sync(BUNDLED, tmp_path / "hub", public=True), InvalidQuery),
    ):
        with pytest.raises(error):
            act()
    assert REPO not in server
    assert not (tmp_path / "hub").exists()


def test_supernets_are_copied_by_way_of_a_cache_of_a_relative_path(stocked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "hfc/hub")
    assert main(["sync", ADDRESS, "copy", "--supernets"]) == 0
    for name in ("one", "two"):
        folder = tmp_path / "copy" / "supernets" / name
        assert load_tensors(folder / "trunk.safetensors")[1] == {"of": name}
        assert not (folder / "trunk.safetensors").is_symlink()
    assert (tmp_path / "hfc" / "hub").is_dir()


def test_verifying_says_that_supernets_cannot_be_had(stocked, capsys):
    stocked.fail("/tree/", times=None, status=502)
    assert main(["verify", ADDRESS]) == 1
    assert f"supernets: hub {ADDRESS}: supernets: answered HTTP 502; try again later\n2 of 3 hold" in (
        capsys.readouterr().out
    )
