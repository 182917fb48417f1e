"""What a browser does with the panel "Try it" of a page, and what came of it."""

from __future__ import annotations

import numpy as np

from zoo.run.causal import streams

__all__ = ["heard", "heard_clip", "heard_file", "ready", "wanted"]

PANEL = "[data-earshot-try]"
WAIT_MS = 30_000
FOUND = """element => ({
    state: element.dataset.state,
    said: element.querySelector(".try-said").textContent,
    shown: Array.from(element.querySelectorAll(".try-event"), item => item.textContent),
    logits: element.panel.answers.map(answer => Array.from(answer.logits)),
    events: element.panel.answers.filter(answer => answer.event).map(answer => answer.event),
    answer: element.panel.answer && Array.from(element.panel.answer.logits),
})"""


def ready(page) -> None:
    """Wait until the model is there, or is not to be had."""
    page.wait_for_selector(f"{PANEL}[data-state=ready], {PANEL}[data-state=failed]", timeout=WAIT_MS)


def heard(page) -> dict:
    """What the panel has when it is done: state, what it said and shows, logits of all answers, events, and the logits
    of a recording that is no longer than a clip.
    """
    page.wait_for_selector(f"{PANEL}[data-state=done], {PANEL}[data-state=failed]", timeout=WAIT_MS)
    return page.locator(PANEL).evaluate(FOUND)


def heard_clip(page, name: str) -> dict:
    """The same of a bundled clip."""
    page.get_by_role("button", name=f"\u201c{name}\u201d").click()
    return heard(page)


def heard_file(page, path) -> dict:
    """Of a recording that is chosen."""
    page.locator(".try-input").set_input_files(path)
    return heard(page)


def wanted(model, samples: np.ndarray) -> dict:
    """What the package gives for samples (samples,) int16 that are no longer than a clip: `logits`, `answer` and
    `events` as (label, score, seconds).
    """
    clip = np.pad(samples, (0, model.clip_samples - len(samples)))
    answer = model.logits(model.features(clip[None]))[0].tolist()
    if not streams(model.network):
        return {"logits": [answer], "answer": answer, "events": []}
    whole = np.concatenate([samples, np.zeros(model.clip_samples, np.int16)])
    events = [(one["label"], one["score"], one["time_s"]) for one in model.detect(samples, model.sampling_rate)]
    return {"logits": model.step(whole, model.reset())[0].tolist(), "answer": answer, "events": events}
