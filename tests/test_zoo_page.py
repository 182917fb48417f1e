"""The page of a zoo: how it is written and served, and what it does in a real browser."""

import http.client
import io
import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import zipfile
from contextlib import ExitStack, contextmanager
from functools import partial
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import soundfile
from browser import chromium, opened, until
from named import largest, smallest
from trying import heard_clip, ready, wanted

import zoo
from supernet.errors import InvalidQuery, MissingExtra, NoModelFits
from supernet.files import digest
from zoo.cli.commands import main
from zoo.hubs.folder import BUNDLED
from zoo.hubs.index import write_index
from zoo.package.read import read_config
from zoo.run import power
from zoo.site import markup, runtime, serve
from zoo.site.data import script
from zoo.site.write import MANIFEST, model_folders

ROOT = Path(__file__).parent.parent
STREAM, TINY, SOUNDS = (
    largest(4), smallest(4), "esc10-mbconv-0.51M-w8a8-cc5847fb",
)  # fmt: skip
NAMES = (STREAM, largest("mixed"), smallest(8), TINY, SOUNDS,
         "aec-mbconv-0.98M-w8a8-f6130281")  # fmt: skip
EVIL = [
    "<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", '"quoted"', "it's", "&amp;", "${1}`",
    "\u05e9\u05dc\u05d5\u05dd", "--task", "javascript:alert(3)",
]  # fmt: skip
DETECTION = {
    "threshold": 0.9, "smoothing": 3, "refractory_ms": 500, "hop_ms": 100, "alarms": 2, "hours": 4.0,
    "false_alarms_per_hour": 0.5, "recall": 0.8, "recall_clips": 100, "chosen_on_hours": 4.0,
    "curve": [{"threshold": 0.8, "alarms": 9, "recall": 0.9}, {"threshold": 0.9, "alarms": 0, "recall": 0.8}],
}  # fmt: skip


def hub_of(folder: Path, names, change=None) -> zoo.Hub:
    """A hub of some bundled models, whose configurations may be changed."""
    entries = []
    for name in names:
        place = shutil.copytree(BUNDLED / "models" / name, folder / "models" / name)
        values = json.loads((place / "config.json").read_text())
        if change is not None:
            (place / "config.json").write_text(json.dumps(change(values)))
        entries.append(read_config(place).entry(digest((place / "config.json").read_bytes())))
    write_index(folder / "index.json", entries)
    return zoo.Hub(folder)


def hostile(values: dict) -> dict:
    """A package whose texts would be markup."""
    labels = [*EVIL, *values["labels"][len(EVIL) :]]
    values |= {
        "labels": labels,
        "licence": EVIL[0],
        "attribution": " ".join(EVIL),
        "notes": [*EVIL, "a\u061cb"],
        "limits": EVIL,
    }
    values["dataset"] |= {"name": EVIL[1], "version": EVIL[2]}
    values["training"] |= {"summary": EVIL}
    return values | {"detection": DETECTION}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    return hub_of(tmp_path_factory.mktemp("hub"), NAMES)


@pytest.fixture(scope="module")
def site(hub, tmp_path_factory):
    """A page without exports."""
    return zoo.page(tmp_path_factory.mktemp("site") / "page", hub=hub, exports=[])


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One whose microphone hears a recording of "stop", with silence around it, again and again."""
    samples, rate = soundfile.read(ROOT / "zoo" / "clips" / "stop.wav", dtype="int16")
    silence, file = np.zeros(rate, np.int16), tmp_path_factory.mktemp("sound") / "stop.wav"
    soundfile.write(file, np.concatenate([silence, samples, silence]), rate)
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with chromium(*fake, f"--use-file-for-fake-audio-capture={file}") as running:
        yield running


@contextmanager
def found(browser, site, query: str = "", **settings):
    """The page that finds models, as it is when it has answered."""
    with opened(browser, f"{site.as_uri()}/index.html{query}", site.as_uri(), **settings) as page:
        settled(page)
        yield page


def settled(page) -> None:
    until(
        page,
        "document.body.dataset.shown === earshot.address.write(earshot.controls.read())"
        " && document.body.dataset.shown === earshot.address.write(earshot.address.read(location.hash))",
    )


def said(page) -> str:
    return page.inner_text("#status")


def best(hub, **wanted) -> str:
    """What the page says first."""
    try:
        return f"{zoo.get(hub=hub, **wanted).name} is the best of {len(zoo.find(hub=hub, **wanted))} that fit"
    except NoModelFits:
        return "no model fits"


# Writing


def all_bytes(folder: Path) -> dict:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_hub_gives_the_same_bytes_and_a_page_is_replaced_whole(tmp_path, capsys):
    hub = hub_of(tmp_path / "hub", [TINY])
    first = all_bytes(zoo.page(tmp_path / "one", hub=hub))
    assert main(["page", "--hub", str(tmp_path / "hub"), "--out", str(tmp_path / "two"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["page"] == str(tmp_path / "two" / "index.html")
    assert all_bytes(tmp_path / "two") == first
    (tmp_path / "one" / "data" / "hub.js").unlink()
    assert all_bytes(zoo.page(tmp_path / "one", hub=hub)) == first
    assert "c.zip" not in str(all_bytes(zoo.page(tmp_path / "one", hub=hub, exports=[])).keys())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hub", "one", "two"]
    assert {file: digest(data) for file, data in first.items() if file != MANIFEST} == json.loads(first[MANIFEST])[
        "files"
    ]


@pytest.mark.parametrize("name", ["notes.txt", "models/mine/index.html", "index.html"])
def test_a_folder_that_holds_anything_else_is_left_alone(hub, site, tmp_path, name, capsys):
    place = shutil.copytree(site, tmp_path / "page")
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text("mine")
    before = all_bytes(place)
    assert main(["page", "--hub", hub.address, "--out", str(place)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert f"holds '{name}'" in line
    assert all_bytes(place) == before
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_what_cannot_be_written_or_asked_is_told(hub, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    for out, wrong in (("file", "is a file"), ("file/page", "is a file, not a folder")):
        with pytest.raises(InvalidQuery, match=wrong):
            zoo.page(tmp_path / out, hub=hub)
    with pytest.raises(InvalidQuery, match="exports = 'cc' is not possible: did you mean c"):
        zoo.page(tmp_path / "page", hub=hub, exports=["cc"])
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "onnx", None)
        with pytest.raises(MissingExtra, match="needs onnx, which is not installed"):
            zoo.page(tmp_path / "page", hub=hub, exports=["c", "onnx"])
    for arguments, wrong in ((["page"], "--out"), (["page", "--out", "x", "--port", "1"], "--serve")):
        assert main(arguments) == 2, wrong

    def full(*_):
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(runtime, "runtime_files", full)
    with pytest.raises(OSError, match=r"No space left on device; no page was written.*page"):
        zoo.page(tmp_path / "page", hub=hub, exports=[])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_page_is_without_the_exports_that_cannot_be_written_here(tmp_path, monkeypatch, caplog):
    for package in ("onnx", "flatbuffers", "tflite_micro"):
        monkeypatch.setitem(sys.modules, package, None)
    place = zoo.page(tmp_path / "page", hub=hub_of(tmp_path / "hub", [TINY]))
    assert (place / "models" / TINY / "c.zip").is_file()
    html = (place / "models" / TINY / "index.html").read_text()
    assert "not installed" not in html
    assert sys.executable not in html
    assert [message.partition(":")[0] for message in caplog.messages] == [
        f"the page is without exports to {title}" for title in ("ONNX", "TFLite", "ESPHome")
    ]


def test_downloads_are_what_the_hub_and_the_exports_have(tmp_path):
    hub = hub_of(tmp_path / "hub", [TINY])
    place = zoo.page(tmp_path / "page", hub=hub, exports=["c"]) / "models" / TINY
    with zipfile.ZipFile(io.BytesIO((place / "package.zip").read_bytes())) as archive:
        packed = {name.removeprefix(f"{TINY}/"): archive.read(name) for name in archive.namelist()}
    assert packed == all_bytes(tmp_path / "hub" / "models" / TINY)
    with zipfile.ZipFile(place / "c.zip") as archive:
        archive.extractall(tmp_path / "unpacked")
    [folder] = (tmp_path / "unpacked").iterdir()
    assert all_bytes(folder) == all_bytes(hub_model(hub).export("c", tmp_path / "c", folder.name))
    html = (place / "index.html").read_text()
    for name in ("package.zip", "c.zip"):
        assert f'href="{name}" download' in html
        assert digest((place / name).read_bytes()) in html


def hub_model(hub) -> zoo.Model:
    return zoo.get(name=TINY, hub=hub)


def test_folders_are_safe_on_any_system():
    names = ["a-b", "A-b", "con", "nul.x", "end.", "console", "com1.kws"]
    folders = model_folders(names)
    assert folders["console"] == "console"
    assert len({folder.lower() for folder in folders.values()}) == len(names)
    assert all(folder == name or folder.startswith("m-") for name, folder in folders.items())
    assert sum(folder.startswith("m-") for folder in folders.values()) == 6


def test_scripts_and_markup_hold_whatever_a_hub_says_as_text():
    text = script("f", EVIL)
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text[2:-3]) == EVIL
    made = str(markup.tag("p", *EVIL, title="\u202e\"'<"))
    assert made.startswith('<p title="\\u202e&quot;&#x27;&lt;">')
    assert made.count("<") == 2
    assert "\u061c" not in markup.visible("a\u061cb")


def test_it_is_served_to_this_machine_alone_until_it_is_stopped(hub):
    command = [sys.executable, "-m", "zoo.cli", "page", "--serve", "--port", "0", "--exports", "--hub", hub.address]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    # Whoever runs tests behind & has Ctrl-C ignored, which what they start inherits.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, preexec_fn=heard, **pipes) as running, ExitStack() as stack:
        stack.callback(running.kill)
        address = running.stdout.readline().strip()
        host, port = address.removeprefix("http://").strip("/").split(":")
        for path, kind in (("/", "text/html; charset=utf-8"), ("/static/find.js", "text/javascript")):
            asked = http.client.HTTPConnection(host, int(port), timeout=10)
            asked.request("GET", path)
            answer = asked.getresponse()
            assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
            asked.close()
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    assert (host, running.returncode) == ("127.0.0.1", 0)
    assert errors.splitlines()[-1] == "earshot: served to this machine alone, until Ctrl-C"
    with pytest.raises(InvalidQuery, match="port = 70000"):
        serve.server(".", 70000)


def test_a_browser_that_goes_away_is_no_error(tmp_path, capsys):
    (tmp_path / "long").write_bytes(bytes(20_000_000))
    server = serve.server(tmp_path)
    server.daemon_threads = False  # its end then waits for all answers
    asked = socket.create_connection(server.server_address)
    asked.sendall(b"GET /long HTTP/1.0\r\n\r\n")
    asked.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.handle_request()
    asked.close()
    server.server_close()
    assert capsys.readouterr().err == ""


# In a browser


CONTROLS = {
    "task": "kws", "words": "stop, left", "min_accuracy": "96%", "max_ops": "1M", "max_params": "20k",
    "max_flash": "22kB", "max_weights": "11kB", "max_ram": "6KiB", "bits": "8", "activation_bits": "8",
    "commercial": "true", "streaming": "false", "family": "mb*", "licence": "cc-by-nc-*", "dataset": "esc50",
    "name": TINY, "max_false_alarms": "4", "min_recall": "0.5",
}  # fmt: skip
ON_DEVICE = {
    "device": "stm32f746-tflm-cmsis-nn", "max_latency_ms": "60", "max_energy_uj": "20mJ", "max_power_uw": "60mW",
    "every_ms": "500", "sleep_power_uw": "5",
}  # fmt: skip
SWITCHES = ("sure", "ignore_limits", "cheaper", "unproven")
PUT = """async ([given, reset]) => {
  const found = [], byId = (name) => document.getElementById(name);
  const shown = async () => {
    const asked = () => earshot.address.write(earshot.controls.read());
    const held = () => earshot.address.read(location.hash);
    while (document.body.dataset.shown !== asked() || earshot.address.write(held()) !== asked()) {
      await new Promise((done) => setTimeout(done, 1));
    }
  };
  for (const [name, value] of given) {
    const field = byId(`field-${name}`);
    if (field.type === "checkbox") field.checked = value;
    else field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    await shown();
    found.push([byId("status").textContent, earshot.address.read(location.hash)]);
    if (reset) byId("reset").click();
    await shown();
  }
  return found;
}"""
"""Sets one field after the other; gives what the page then says, and what its address holds."""


def typed(name: str, value: str):
    """As `zoo.get` takes what is typed."""
    values = {"true": True, "false": False}
    return value.split(", ") if name == "words" else int(value) if "bits" in name else values.get(value, value)


def test_every_control_asks_and_is_in_the_address(browser, hub, site, monkeypatch):
    monkeypatch.setattr(
        power, "lacking", lambda *names: InvalidQuery("not needed")
    )  # of published profiles it gives {}
    with found(browser, site) as page:
        assert said(page) == best(hub)
        known = {*page.evaluate("[...earshot.controls.fields.keys()]")}
        assert known == {*CONTROLS, *ON_DEVICE, *SWITCHES, "max_instructions"}
        for (name, value), (told, query) in zip(
            CONTROLS.items(), page.evaluate(PUT, [list(CONTROLS.items()), True]), strict=True
        ):
            assert (name, told) == (name, best(hub, **{name: typed(name, value)}))
            assert {name: typed(name, str(query[name])) if "bits" in name else query[name]} == {
                name: typed(name, value)
            }
        asked = {}
        for (name, value), (told, _) in zip(
            ON_DEVICE.items(), page.evaluate(PUT, [list(ON_DEVICE.items()), False]), strict=True
        ):
            asked[name] = value
            assert (name, told) == (name, best(hub, **asked))
        [*_, (_, query)] = page.evaluate(PUT, [[[name, True] for name in SWITCHES], False])
        assert dict.fromkeys(SWITCHES, True).items() <= query.items()


def test_sliders_step_through_what_models_have(browser, hub, site):
    with found(browser, site, "#task=kws") as page:
        slider = page.locator("#field-max_flash + input[type=range]")
        slider.focus()
        slider.press("Home")
        settled(page)
        least = min(one.flash_bytes for one in zoo.find("kws", hub=hub))
        assert page.input_value("#field-max_flash") == str(least)
        assert slider.get_attribute("aria-valuetext") == str(least)
        assert said(page) == best(hub, task="kws", max_flash=least)
        slider.press("End")
        settled(page)
        assert page.input_value("#field-max_flash") == ""
        accuracy = page.locator("#field-min_accuracy + input[type=range]")
        accuracy.focus()
        accuracy.press("End")
        settled(page)
        found_best = zoo.find("kws", hub=hub, min_accuracy=page.input_value("#field-min_accuracy"))
        assert said(page) == f"{found_best[0].name} is the best of {len(found_best)} that fit"


def test_an_address_that_is_sent_shows_the_same(browser, hub, site):
    query = "#task=kws&max_flash=22kB&words=stop&words=left&cheaper=true&device=stm32f746-tflm"
    with found(browser, site, query.replace("&device=stm32f746-tflm", "")) as page:
        wanted = {"task": "kws", "max_flash": "22kB", "words": ["stop", "left"]}
        chosen = zoo.get(hub=hub, cheaper=True, **wanted)
        assert page.inner_text("#answer h3") == chosen.name
        assert page.inner_text("#lines .command:nth-child(1) code") == (
            f'zoo.get(task="kws", max_flash="22kB", words=["stop", "left"], cheaper=True, hub="{hub.address}")'
        )
        assert page.input_value("#field-words") == "stop, left"
        assert page.is_checked("#field-cheaper")
        page.evaluate("location.hash = 'task=kws&max_flash=14kB'")
        settled(page)
        assert said(page) == "no model fits"
        with pytest.raises(NoModelFits) as error:
            zoo.get("kws", max_flash="14kB", hub=hub)
        assert page.inner_text("#answer .none") == str(error.value)
        assert "With --specialize, the line for the shell searches" in page.inner_text("#answer")
        page.fill("#field-max_flash", "much")
        settled(page)
        assert page.get_attribute("#field-max_flash", "aria-invalid") == "true"
        assert "max_flash = much is not possible" in page.inner_text("#answer")


def test_without_a_task_it_says_which_were_compared(browser, hub, site):
    tasks = sorted({entry.task for entry in zoo.find(hub=hub)})
    assert len(tasks) > 1
    with found(browser, site) as page:
        said = f"models of {len(tasks)} tasks fit, whose accuracies cannot be compared; name one: {', '.join(tasks)}"
        assert said in page.inner_text("#answer")
    with found(browser, site, f"#task={tasks[0]}") as page:
        assert "cannot be compared" not in page.inner_text("#answer")


DRAG = """async () => {
  const field = document.getElementById("field-max_ops"), frame = () => new Promise(requestAnimationFrame);
  let changes = 0;
  addEventListener("hashchange", () => (changes += 1));
  const begun = performance.now();
  for (let number = 1; number <= 40; number += 1) {
    field.value = `${number}M`;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    await frame();
  }
  return [changes, (performance.now() - begun) / 1000];
}"""


def test_an_address_does_not_change_more_often_than_browsers_take(browser, hub, site):
    """Chromium drops those beyond 200 in ten seconds."""
    with found(browser, site, "") as page:
        changes, seconds = page.evaluate(DRAG)
        assert 0 < changes <= 10 * seconds + 2
        settled(page)
        assert page.evaluate("location.hash") == "#max_ops=40M"


SORT = """() => [...document.querySelectorAll("#head th")].flatMap((_, number) => [1, 2].map(() => {
  const head = () => document.querySelectorAll("#head th")[number];
  head().querySelector("button").focus();
  head().querySelector("button").click();
  const names = [...document.querySelectorAll("#rows th bdi")].map((one) => one.textContent);
  const focused = document.activeElement === head().querySelector("button");
  return [document.activeElement.dataset.column, head().getAttribute("aria-sort"), focused, names];
}))"""


def test_a_link_over_the_fields_keeps_what_they_ask(browser, hub, site):
    with found(browser, site, "#max_flash=22kB") as page:
        page.focus(".skip")
        page.keyboard.press("Enter")
        settled(page)
        assert page.evaluate("[location.hash, document.activeElement.id]") == ["#max_flash=22kB", "answer"]
        assert page.input_value("#field-max_flash") == "22kB"
        assert said(page) == best(hub, max_flash="22kB")


def test_the_table_sorts_by_any_column(browser, hub, site):
    with found(browser, site, "#task=kws") as page:
        page.check("#others")
        columns = page.evaluate(SORT)
        assert {one[0] for one in columns} >= {"name", "task", "bits", "macs", "flash_bytes", "validation", "licence"}
        for number, (column, order, focused, names) in enumerate(columns):
            assert (order, focused) == (("ascending", "descending")[number % 2], True)
            values = [getattr(hub.entry(name), column) for name in names]
            keys = [(isinstance(value, str), value) for value in values]
            assert keys == sorted(keys, reverse=order == "descending"), column
        best = zoo.get("kws", hub=hub).name
        assert page.locator("#rows tr[aria-current=true]").inner_text().startswith(f"{best} best")
        page.locator("#head button").first.focus()
        page.keyboard.press("Enter")
        assert page.locator("#head th").first.get_attribute("aria-sort") == "ascending"


def test_the_picture_has_what_fits_the_front_and_the_answer(browser, hub, site):
    with found(browser, site, "#task=kws&max_flash=22kB") as page:
        fitting = zoo.find("kws", max_flash="22kB", hub=hub)
        assert page.locator("#picture circle").count() == len(zoo.find("kws", hub=hub))
        assert page.locator("#picture circle.fits, #picture circle.chosen").count() == len(fitting)
        assert page.locator("#picture circle.chosen title").text_content().startswith(f"{fitting[0].name}: ")
        front = [one for one in fitting if not any(dominates(other, one, "flash_bytes") for other in fitting)]
        assert len(page.get_attribute("#picture polyline.front", "points").split()) == len(front)
        for cost in page.locator("#cost option").all():
            page.select_option("#cost", cost.get_attribute("value"))
            assert "NaN" not in page.inner_html("#picture")


def dominates(one, other, cost: str) -> bool:
    pair = (getattr(one, cost), -one.validation), (getattr(other, cost), -other.validation)
    return pair[0] != pair[1] and all(own <= its for own, its in zip(*pair, strict=True))


def test_a_model_is_reached_and_hears_a_clip(browser, hub, site):
    with found(browser, site, "#task=kws") as page:
        page.click("#answer h3 a")
        ready(page)
        best = zoo.get("kws", hub=hub).name
        assert page.inner_text("h1") == best
        config = hub.config(hub.entry(best)).values
        counts = np.array(config["accuracy"]["test"]["confusion"])
        cells = page.locator(".confusion tbody td:not(:last-child)").all_inner_texts()
        assert [int(cell or 0) for cell in cells] == counts.ravel().tolist()
        assert config["attribution"] in page.inner_text("#licence")
        own = wanted(zoo.get(name=best, hub=hub), soundfile.read(ROOT / "zoo" / "clips" / "stop.wav", dtype="int16")[0])
        assert heard_clip(page, "stop")["answer"] == own["answer"]
        with page.expect_navigation():  # whose scripts have run
            page.get_by_role("link", name="Find a model").click()
        settled(page)


def test_a_hostile_hub_is_text(browser, tmp_path):
    hub = hub_of(tmp_path / "hub", [TINY], hostile)
    site = zoo.page(tmp_path / "page", hub=hub, exports=[])
    with found(browser, site, "#licence=%3Cimg*&words=it%27s&task=%3Cb%3E") as page:
        page.select_option("#field-task", "")
        settled(page)
        assert said(page) == f"{TINY} is the best of 1 that fit"
        assert EVIL[0] in page.inner_text("#rows tr")
        assert page.locator("img, #answer script, #rows script").count() == 0
        page.click("#answer h3 a")
        page.wait_for_selector("[data-state=ready]")
        assert page.locator("img, main script").count() == 0
        labels = page.locator(".labels li").all_inner_texts()
        assert labels[: len(EVIL)] == EVIL
        assert "a\\u061cb" in page.inner_text("#knows")
        assert page.locator("#licence").inner_text().count(EVIL[1]) == 1
        assert page.locator(".curve svg").count() == 1
        assert all(box.get_attribute("href") != "javascript:alert(3)" for box in page.locator("a").all())


NAMELESS = """[...document.querySelectorAll("input, select, button, [role=region], [role=img], nav, form, section")]
  .filter((one) => !(one.labels && one.labels.length) && !one.getAttribute("aria-label") &&
    !(one.getAttribute("aria-labelledby") && document.getElementById(one.getAttribute("aria-labelledby")))
    && !one.textContent.trim())
  .map((one) => one.outerHTML)"""
CONTRAST = """(pairs) => pairs.map(([ink, paper]) => {
  const light = (name) => {
    const box = document.body.appendChild(document.createElement("i"));
    box.style.color = `var(${name})`;
    const parts = getComputedStyle(box).color.match(/[\\d.]+/g).slice(0, 3).map((one) => one / 255);
    box.remove();
    const [r, g, b] = parts.map((one) => (one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [one, other] = [light(ink), light(paper)].sort((low, high) => high - low);
  return (one + 0.05) / (other + 0.05);
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_anyone(browser, site, scheme):
    model = f"{site.as_uri()}/models/{STREAM}/index.html"
    small = {"width": 320, "height": 640}
    pairs = [[f"--{ink}", f"--{paper}"] for ink in ("ink", "muted", "accent", "front") for paper in ("paper", "soft")]
    for address in (f"{site.as_uri()}/index.html", model):
        with opened(browser, address, site.as_uri(), color_scheme=scheme, viewport=small) as page:
            page.wait_for_selector("#rows tr, [data-state=ready]")
            assert page.evaluate(NAMELESS) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= small["width"]
            assert page.evaluate("document.documentElement.lang") == "en"
            assert page.locator("h1").count() == 1
            assert min(page.evaluate(CONTRAST, pairs)) >= 4.5 if scheme == "dark" else 4.0
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.textContent").startswith("Skip to")


def test_no_script_or_style_is_written_into_a_page(site):
    for file in ("index.html", f"models/{STREAM}/index.html"):
        html = unescape((site / file).read_text())
        assert "script-src 'self' 'wasm-unsafe-eval'; style-src 'self'" in html
        assert html.count("<script") == html.count('<script src="')
        assert "<style" not in html
        assert " style=" not in html
        assert " onclick=" not in html


def test_a_microphone_is_heard_where_the_page_is_served(browser, site):
    with serve.server(site) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        own = f"http://{serve.LOOPBACK}:{serving.server_port}/"
        try:
            with opened(browser, f"{own}models/{STREAM}/index.html", own, permissions=["microphone"]) as page:
                page.wait_for_selector("[data-state=ready]")
                page.get_by_role("button", name="Microphone").click()
                heard = "document.querySelector('[data-earshot-try]').panel.answers.find((one) => one.event)"
                label = until(page, f"{heard}?.event.label", 60)
                page.get_by_role("button", name="Stop listening").click()
                page.wait_for_selector("[data-state=done]")
                assert label == "stop"
        finally:
            serving.shutdown()
            thread.join()
