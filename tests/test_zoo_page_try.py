"""The panel "Try it" in a browser: from disk and served, under the page's policy, the integers of packages."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile
import soxr
from browser import chromium, opened
from named import middle
from trying import PANEL, heard, heard_clip, heard_file, ready, wanted

import zoo
from zoo.hubs.folder import BUNDLED
from zoo.site.runtime import RUNTIME, START, STYLE, plan_script, runtime_files

STREAM, CLIP = middle(8), "esc10-mbconv-0.51M-w4a8-199d6d24"
POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src data:"
CLIPS = Path("zoo/clips")


def model_of(name):
    return zoo.Model.from_folder(BUNDLED / "models" / name)


def sound_of(clip):
    return soundfile.read(CLIPS / f"{clip}.wav", dtype="int16")[0]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with a page for each model."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "static").mkdir()
    for name, text in runtime_files().items():
        (folder / "static" / name).write_text(text, encoding="utf-8")
    for name in (STREAM, CLIP):
        (folder / f"{name}.js").write_text(plan_script(model_of(name)), encoding="utf-8")
        scripts = [*(f"static/{script}" for script in RUNTIME), f"{name}.js", f"static/{START}"]
        (folder / f"{name}.html").write_text(
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><link rel="icon" href="data:,">'
            f'<link rel="stylesheet" href="static/{STYLE}"><main><div data-earshot-try="{name}"></div></main>'
            + "".join(f'<script src="{script}"></script>' for script in scripts)
        )
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium("--use-fake-device-for-media-stream") as browser:
        yield browser


@pytest.fixture
def served(site):
    """The address of the folder on this machine."""
    handler = partial(SimpleHTTPRequestHandler, directory=site)
    handler.log_message = None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def from_disk(browser, site, name):
    return opened(browser, (site / f"{name}.html").as_uri(), site.as_uri())


@pytest.mark.parametrize("name", [STREAM, CLIP])
def test_clips_give_the_answers_and_events_of_the_package_from_disk(name, browser, site):
    model = model_of(name)
    with from_disk(browser, site, name) as page:
        ready(page)
        for path in sorted(CLIPS.glob("*.wav"))[::2]:
            found, expected = heard_clip(page, path.stem), wanted(model, sound_of(path.stem))
            assert (found["logits"], found["answer"]) == (expected["logits"], expected["answer"])
            assert [(one["label"], one["score"], one["seconds"]) for one in found["events"]] == expected["events"]
            assert found["said"].startswith(f"{path.stem}: {model(path)[0]['label']}, ")
            assert len(found["shown"]) == (len(expected["events"]) if name == STREAM else 1)
        assert page.locator(f"{PANEL} .try-score").count() == len(model.labels)


def test_recordings_are_taken_as_they_are_or_resampled_or_refused(browser, site, tmp_path):
    samples = sound_of("stop")
    soundfile.write(tmp_path / "same.wav", samples, 16_000, "PCM_16")
    soundfile.write(tmp_path / "wide.flac", np.repeat(soxr.resample(samples, 16_000, 44_100)[:, None], 2, 1), 44_100)
    soundfile.write(tmp_path / "long.wav", np.concatenate([*map(sound_of, ("go", "stop", "left"))]), 16_000, "PCM_16")
    (tmp_path / "no.wav").write_text("no sound")
    model = model_of(STREAM)
    with from_disk(browser, site, STREAM) as page:
        ready(page)
        expected = wanted(model, samples)
        assert heard_file(page, tmp_path / "same.wav")["logits"] == expected["logits"]
        near = heard_file(page, tmp_path / "wide.flac")
        assert near["said"].startswith("wide.flac: stop, ")
        assert 0 < np.abs(np.subtract(near["answer"], expected["answer"])).max() < 1000
        long = heard_file(page, tmp_path / "long.wav")
        assert (long["said"], long["answer"]) == ("long.wav: 3.00 s heard.", None)
        events = [(one["label"], one["score"], one["time_s"]) for one in model.detect(tmp_path / "long.wav")]
        assert [(one["label"], one["score"], one["seconds"]) for one in long["events"]] == events
        assert len(events) >= 2
        refused = heard_file(page, tmp_path / "no.wav")
        assert (refused["state"], refused["said"]) == ("failed", "no.wav is no recording that this browser can read.")


def test_keys_reach_all_of_the_panel_and_a_new_start_ends_the_one_before(browser, site):
    with from_disk(browser, site, STREAM) as page:
        ready(page)
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        assert heard(page)["said"].startswith("happy: ")
        reached = []
        for _ in range(6):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.className"))
        assert reached[-2:] == ["try-input", "try-button try-microphone"]


def test_a_microphone_that_is_refused_is_said_in_a_line(browser, site):
    with from_disk(browser, site, STREAM) as page:
        ready(page)
        page.get_by_role("button", name="Microphone").click()
        assert heard(page)["said"] == "The microphone is not to be had: it was refused."


def test_a_microphone_is_heard_until_it_is_stopped_where_the_page_is_served(browser, served):
    with opened(browser, f"{served}/{STREAM}.html", served, permissions=["microphone"]) as page:
        ready(page)
        page.get_by_role("button", name="Microphone").click()
        while page.locator(PANEL).evaluate("element => element.panel.answers.length") < 10:
            page.wait_for_timeout(100)
        page.get_by_role("button", name="Stop listening").click()
        found = heard(page)
        assert found["said"] == "The microphone is off."
        assert len(np.unique(found["logits"])) > 20


def test_a_model_that_is_not_there_is_said(browser, site):
    (site / "other.html").write_text((site / f"{STREAM}.html").read_text().replace(f'try="{STREAM}"', 'try="other"'))
    with from_disk(browser, site, "other") as page:
        ready(page)
        assert page.locator(".try-said").inner_text() == "The model does not run here: no plan of other is in this page"
