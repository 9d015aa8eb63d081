"""Make the pictures of playground.md: `python docs/playground_pictures.py`.

Needs ``fastmlp[playground,browser,displays]`` and Chromium.
"""

import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

IMG = Path(__file__).parent / "img"
# name -> hash, iterations, panel; in the dark where its name says so
PICTURES = {
    "spiral": ("dataset=spiral&networkShape=8,8&solvers=sgd,adam,lbfgs,lm&seed=1", 120, "loss"),
    "newton": (
        "problem=regression&networkShape=&loss=squared_error&solvers=gd,newton&learningRate=0.01",
        8,
        "surface",
    ),
    "backprop": (
        "problem=backprop&networkShape=2&activation=sigmoid&loss=squared_error&solvers=sgd"
        "&learningRate=0.5&batchSize=1",
        0,
        "trace",
    ),
    "gap": (
        "problem=curve&curveDataset=gap&networkShape=8&loss=squared_error&solvers=lm&x=true&y=false"
        "&bayes=true&regularization=L2&regularizationRate=0.001",
        60,
        "loss",
    ),
    "funnel": (
        "problem=curve&curveDataset=funnel&networkShape=6&loss=normal&solvers=adam&noise=15"
        "&learningRate=0.03&x=true&y=false",
        400,
        "loss",
    ),
    "width": (
        "problem=curve&curveDataset=step&networkShape=3&loss=squared_error&solvers=lm&noise=10"
        "&x=true&y=false",
        20,
        "width",
    ),
    "weights_dark": ("dataset=circle&networkShape=4,2&solvers=adam,lm", 30, "weights"),
    "python_dark": ("dataset=xor&networkShape=4&solvers=adam,lm", 20, "python"),
}


def main() -> None:
    """Serve the playground, look at it in Chromium, and keep what is seen."""
    command = [sys.executable, "-c", "from fastmlp.cli import main; main()", "playground"]
    server = subprocess.Popen([*command, "--no-browser"], stdout=subprocess.PIPE, text=True)
    try:
        address = server.stdout.readline().split()[-1]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", "--disable-background-networking"],
            )
            page = browser.new_page(viewport={"width": 1280, "height": 720})
            for name, (hash_, iterations, panel) in PICTURES.items():
                page.emulate_media(color_scheme="dark" if name.endswith("dark") else "light")
                page.goto("about:blank")
                page.goto(f"{address}#{hash_}")
                page.wait_for_selector("body[data-ready='true']")
                page.click(f"#tab-{panel}")
                for _ in range(iterations):
                    page.click("#step")
                page.locator("#count", has_text=str(iterations)).wait_for()
                page.click("#tab-loss")
                page.locator("#runs button").last.click()
                page.wait_for_timeout(200)
                page.click(f"#tab-{panel}")
                if panel == "width":
                    page.click("#tryWidths")
                    page.locator("#message", has_text="Each by").wait_for()
                page.mouse.move(0, 0)
                page.wait_for_timeout(400)
                seen = Image.open(BytesIO(page.screenshot(full_page=True)))
                few = seen.convert("RGB").quantize(256)  # colours: a third of the size
                few.save(IMG / f"playground_{name}.png", optimize=True)
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
