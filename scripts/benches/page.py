"""How soon does the page of a zoo show models, and how fast does it answer, with the bundled models and with many?

    python scripts/bench.py page
    python scripts/bench.py page --models 40 --rounds 3

Each round opens the page from disk in a new context of a headless Chromium (Debian's, driven by Playwright): until the
first paint, until the answer and the table stand, and then the processor time of the page's process for each change of
a limit: the look-up, and answer, picture and table laid out and painted anew, which other work on the machine does not
stretch. Models beyond the bundled ones are these again, by other names and figures.
Rows: `page.csv`.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np

import zoo
from studies.base import Shown, Study, option, value
from studies.rows import Rows
from zoo.hubs.folder import BUNDLED
from zoo.site.data import device_data, hub_data, model_row, script

TABLE, SIZES = "page", (40, 1_000)
STARTED = """() => ({
  paint: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  answer: performance.getEntriesByName("answer")[0].startTime,
})"""
MARK = """new MutationObserver((_, observer) => {
  if (document.body && document.body.dataset.shown !== undefined) {
    document.body.offsetHeight;
    performance.mark("answer");
    observer.disconnect();
  }
}).observe(document, { subtree: true, childList: true, attributes: true });"""
ASKED = """async (limits) => {
  const field = document.getElementById("field-max_flash");
  for (const limit of limits) {
    field.value = limit;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    while (document.body.dataset.shown !== earshot.address.write(earshot.controls.read())) {
      await new Promise((done) => requestAnimationFrame(done));
    }
    await new Promise((done) => requestAnimationFrame(done));
  }
}"""
LIMITS = [str(int(size)) for size in np.geomspace(2e4, 4e5, 20)]
"""Of flash, one after the other."""


def run(options: argparse.Namespace, rows: Rows) -> None:
    """Measure and write the rows."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        raise SystemExit("bench page: needs Chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        site = zoo.page(Path(folder) / "page", hub=BUNDLED, exports=[])
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for models in options.models:
            size = _write(site, models)
            rows.add(TABLE, {"models": models}, {"hub_kb": round(size / 1000, 1), **_measured(browser, site, options)})
        browser.close()


def _write(site: Path, models: int) -> int:
    """The data of so many models in the place of a page's; gives its bytes."""
    hub, rng = zoo.open_hub(BUNDLED), np.random.default_rng(0)
    devices = device_data(hub, hub.entries)
    own = [model_row(entry, hub.config(entry), entry.name) for entry in hub.entries]
    more = [_like(own[number % len(own)], number, rng) for number in range(len(own), models)]
    rows = sorted([*own, *more][:models], key=lambda row: -row["validation"])
    text = script("earshot.data.hub", hub_data([], rows, [about for about, _ in devices]))
    (site / "data" / "hub.js").write_text(text, encoding="ascii")
    return len(text)


def _like(row: dict, number: int, rng: np.random.Generator) -> dict:
    factor = float(np.exp(rng.normal(0, 0.5)))
    sizes = {name: int(row[name] * factor) for name in ("macs", "flash_bytes", "weight_bytes", "ram_bytes", "params")}
    return {**row, **sizes, "name": f"{row['name'][:-8]}{number:08x}", "validation": round(rng.uniform(0.6, 0.97), 6)}


def _measured(browser, site: Path, options: argparse.Namespace) -> dict:
    found: dict[str, list[float]] = {"first_paint_ms": [], "answer_ms": [], "change_cpu_ms": []}
    session = browser.new_browser_cdp_session()
    for _ in range(options.rounds):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.add_init_script(MARK)
        page.goto(f"{site.as_uri()}/index.html")
        while not page.evaluate("performance.getEntriesByName('answer').length"):
            page.wait_for_timeout(5)  # the policy of the page forbids what Playwright waits by
        started, before = page.evaluate(STARTED), _processor_ms(session)
        page.evaluate(ASKED, LIMITS)
        changed = (_processor_ms(session) - before) / len(LIMITS)
        context.close()
        for own, measured in zip(found.values(), (started["paint"], started["answer"], changed), strict=True):
            own.append(measured)
    return {name: round(float(np.median(own)), 1) for name, own in found.items()}


def _processor_ms(session) -> float:
    """What the processes of pages have taken of the processor so far."""
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return 1000 * sum(one["cpuTime"] for one in found if one["type"] == "renderer")


def table_of_page(found: Rows) -> Shown:
    """By the number of models."""
    names = {
        "hub_kb": "models, kB",
        "first_paint_ms": "first paint, ms",
        "answer_ms": "first answer, ms",
        "change_cpu_ms": "a change of a limit, ms of processor time",
    }
    rows = found.read(TABLE).to_dict("records")
    return ["models", *names.values()], [
        [f"{row['models']:,}", *(f"{row[name]:,.0f}" for name in names)] for row in rows
    ]


STUDY = Study(
    __doc__,
    run,
    (
        option("--models", type=int, nargs="+", default=SIZES, help="in the page (default: %(default)s)"),
        value("--rounds", 5, "openings of the page"),
    ),
    always=True,
    tables={TABLE: table_of_page},
)
