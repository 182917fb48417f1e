"""The pictures of the page of a zoo in README.md, from the real page in a headless Chromium.

    python scripts/page_pictures.py

Written to `scripts/results/page-find.png` and `page-model.png`, in few colours, under 60 kB each.
"""

from __future__ import annotations

import shutil
import tempfile
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

from PIL import Image
from playwright.sync_api import Page, sync_playwright

import zoo
from supernet.files import write_bytes
from zoo.hubs.folder import BUNDLED

RESULTS, MOST_BYTES, COLOURS = Path(__file__).with_name("results"), 60_000, 128
LIMITS = {"max_flash": "26kB", "max_ram": "32kB"}
FIND = f"index.html#task=kws&{urlencode(LIMITS)}"
FIND_SIZE, MODEL_SIZE = {"width": 1200, "height": 960}, {"width": 800, "height": 760}


def main() -> None:
    """Open, look, write."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        site = zoo.page(Path(folder) / "page", hub=BUNDLED, exports=[])
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=FIND_SIZE, color_scheme="light")
        page.goto(f"{site.as_uri()}/{FIND}")
        page.wait_for_selector("#picture circle.chosen")
        _write(page, "page-find.png")
        page.set_viewport_size(MODEL_SIZE)
        page.goto(f"{site.as_uri()}/models/{zoo.get(task='kws', **LIMITS).name}/index.html")
        page.wait_for_selector("[data-state=ready]")
        page.get_by_role("button", name="stop").click()
        page.wait_for_selector("[data-state=done]")
        _write(page, "page-model.png")
        browser.close()


def _write(page: Page, name: str) -> None:
    image, data = Image.open(BytesIO(page.screenshot())).convert("RGB"), BytesIO()
    image.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(data, "png", optimize=True)
    if len(data.getvalue()) > MOST_BYTES:
        raise SystemExit(f"page_pictures: {name} has {len(data.getvalue()):,} bytes; the limit is {MOST_BYTES:,}")
    print(write_bytes(RESULTS / name, data.getvalue()), f"{len(data.getvalue()):,} bytes")


if __name__ == "__main__":
    main()
