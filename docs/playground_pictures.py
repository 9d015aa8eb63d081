"""Make the pictures of playground.md: `python docs/playground_pictures.py`.

Needs ``fastmlp[playground,browser]`` and Chromium.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

IMG = Path(__file__).parent / "img"
# name -> hash, iterations, panel
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
            page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
            for name, (hash_, iterations, panel) in PICTURES.items():
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
                page.wait_for_timeout(400)
                page.screenshot(path=IMG / f"playground_{name}.png", full_page=True)
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
