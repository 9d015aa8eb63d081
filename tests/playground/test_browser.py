"""The playground in a real Chromium: controls, hashes, learning, sockets that drop, bad input."""

import os
import re
import shutil
from base64 import b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from fastmlp.playground._settings import Settings

api = pytest.importorskip("playwright.sync_api", reason="needs fastmlp[browser]")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def chromium():
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


class Page:
    """A page of the playground, and what a user would do on it."""

    def __init__(self, browser, address, **options):
        options.setdefault("viewport", {"width": 1280, "height": 720})
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.address, self.errors, self.asked = address, [], []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, hash_=""):
        self.page.goto("about:blank")
        self.page.goto(self.address + ("#" + hash_ if hash_ else ""))
        self.page.wait_for_selector("body[data-ready='true']")
        return self

    def text(self, selector):
        return self.page.locator(selector).inner_text()

    def hash(self):
        return self.page.url.partition("#")[2]

    @property
    def epoch(self):
        return int(self.text("#count"))

    def loss(self):
        return float(self.text("#trainLoss"))

    def settle(self, in_hash):
        self.page.wait_for_url(re.compile(re.escape(in_hash)))
        api.expect(self.page.locator("#count")).to_have_text("0")

    def steps(self, n):
        for _ in range(n):
            before = self.epoch
            self.page.click("#step")
            api.expect(self.page.locator("#count")).to_have_text(str(before + 1))


@pytest.fixture
def page(chromium, address):
    one = Page(chromium, address)
    yield one
    one.context.close()
    assert one.errors == []


def test_the_page_opens_and_steps(page):
    page.open()
    first = page.loss()
    page.steps(3)
    assert page.loss() < first
    page.page.click("#reset")
    api.expect(page.page.locator("#count")).to_have_text("0")
    assert page.loss() == first


def test_a_page_without_a_hash_has_the_defaults_of_python(page):
    usual = Settings()
    page.open()
    kept = dict(pair.split("=") for pair in page.hash().split("&"))
    assert kept == {
        "networkShape": ",".join(map(str, usual.networkShape)),
        "activation": usual.activations[0],
        "solvers": ",".join(usual.solvers),
        "seed": str(usual.seed),
    }
    assert float(page.page.locator("#learningRate").input_value()) == usual.learningRate
    assert float(page.page.locator("#percTrainData").input_value()) == usual.percTrainData


def test_play_and_pause(page):
    page.open()
    page.page.click("#play")
    api.expect(page.page.locator("#play")).to_have_attribute("aria-label", "Pause")
    api.expect(page.page.locator("#count")).not_to_have_text("0")
    page.page.click("#play")
    api.expect(page.page.locator("#play")).to_have_attribute("aria-label", "Play")
    stopped = page.epoch
    page.page.wait_for_timeout(200)
    assert page.epoch <= stopped + 1


@pytest.mark.parametrize(
    ("selector", "value", "in_hash"),
    [
        ("#problem", "regression", "problem=regression"),
        ("#problem", "curve", "problem=curve"),
        ("#problem", "backprop", "problem=backprop"),
        ("#loss", "perceptron", "loss=perceptron"),
        ("#activation", "relu", "activation=relu"),
        ("#learningRate", "0.3", "learningRate=0.3"),
        ("#regularization", "L1", "regularization=L1"),
    ],
)
def test_a_choice_is_in_the_hash_and_starts_anew(page, selector, value, in_hash):
    page.open()
    page.steps(1)
    page.page.select_option(selector, value)
    page.settle(in_hash)
    page.steps(1)


def test_buttons_of_the_network(page):
    page.open("networkShape=4,2")
    page.page.click("#moreLayers")
    page.settle("networkShape=4,2,2")
    page.page.get_by_label("Add a unit to hidden layer 3").click()
    page.settle("networkShape=4,2,3")
    page.page.get_by_label("Remove a unit from hidden layer 1").click()
    page.settle("networkShape=3,2,3")
    page.page.get_by_label("Activation of hidden layer 2").select_option("mish")
    page.settle("activations=tanh,mish,tanh")
    page.page.click("#fewerLayers")
    page.settle("networkShape=3,2&")
    page.page.get_by_label("x₁x₂").click()
    page.settle("xTimesY=true")
    page.steps(1)


def test_data_and_solvers(page):
    page.open()
    page.page.get_by_role("radio", name="spiral").click()
    page.settle("dataset=spiral")
    page.page.locator("#solvers").get_by_label("lm", exact=True).check()
    page.settle("solvers=adam,lm")
    page.steps(2)
    rows = page.page.locator("#runs tbody tr")
    assert rows.count() == 2
    rows.nth(1).get_by_role("button").click()
    api.expect(rows.nth(1).get_by_role("button")).to_have_attribute("aria-pressed", "true")
    page.page.locator("#noise").fill("30")
    page.settle("noise=30")
    page.page.locator("#seed").fill("12")
    page.page.locator("#seed").press("Enter")
    page.settle("seed=12")


def test_a_link_of_tensorflows_page_opens(page):
    page.open(
        "activation=sigmoid&regularization=L2&batchSize=12&dataset=gauss&regDataset=reg-gauss"
        "&learningRate=0.1&regularizationRate=0.003&noise=10&networkShape=5,3&seed=0.48283"
        "&showTestData=true&discretize=true&percTrainData=70&x=true&y=false&xTimesY=true"
        "&xSquared=false&ySquared=false&cosX=false&sinX=false&cosY=false&sinY=false"
        "&collectStats=false&problem=classification&initZero=false&hideText=false"
        "&playButton_hide=true"
    )
    assert page.page.locator("#activation").input_value() == "sigmoid"
    assert page.page.locator("#learningRate").input_value() == "0.1"
    assert page.page.locator("#noise").input_value() == "10"
    assert page.page.locator("#showTestData").is_checked()
    assert page.page.locator("#discretize").is_checked()
    assert page.page.locator("#play").is_hidden()
    assert page.page.locator("#diagram canvas[aria-pressed=true]").count() == 2
    kept = page.hash()
    page.steps(2)
    loss = page.loss()
    page.open(kept)  # what the page wrote opens as the same page
    assert page.hash() == kept
    page.steps(2)
    assert page.loss() == loss


@pytest.mark.parametrize(
    ("hash_", "most"),
    [
        ("dataset=xor&networkShape=8&solvers=lm", 0.01),
        ("dataset=spiral&networkShape=8,8&solvers=lm", 0.05),
    ],
)
def test_a_task_is_learned_on_the_page(page, hash_, most):
    page.open(hash_)
    page.page.select_option("#speed", "25")
    page.page.click("#play")
    for _ in range(100):
        page.page.wait_for_timeout(100)
        if page.loss() < most:
            break
    assert page.loss() < most


def test_the_lecture_by_hand(page):
    page.open()
    page.page.select_option("#recipe", label="Backpropagation by hand")
    api.expect(page.page.locator("#trace")).to_contain_text("0.298371109")
    api.expect(page.page.locator("#trace")).to_contain_text("0.138498562")
    assert page.text("#trainLoss") == "0.2984"
    drawn = page.page.locator("#diagram text.number").all_text_contents()
    # a; z, a, delta; these and y; parameters and their slopes
    assert len(drawn) == 2 + 3 * 2 + 4 * 2 + 2 * 12
    assert {"w 0.150", "b 0.350", "z 0.378", "a 0.593", "y 0.010"} <= set(drawn)
    assert {"δ 0.138", "∂ 0.082"} <= set(drawn)
    page.steps(1)
    api.expect(page.page.locator("#diagram text.number", has_text="w 0.359")).to_be_visible()
    assert page.text("#trainLoss") == "0.2910"


def test_every_recipe_starts(page):
    page.open()
    names = page.page.locator("#recipe option").all_inner_texts()[1:]
    assert len(names) > 10
    for name in names:
        page.page.select_option("#recipe", label=name)
        api.expect(page.page.locator("#message")).to_contain_text(re.compile(r"\w{3,}"))
        page.page.wait_for_timeout(100)
        api.expect(page.page.locator("#count")).to_have_text("0")
        page.steps(2)


def test_what_a_recipe_says_stays_while_it_plays(page):
    page.open()
    page.page.select_option("#recipe", label="XOR's corners by two units")
    api.expect(page.page.locator("#message")).to_contain_text("A 2-2-1 network")
    page.page.click("#play")
    api.expect(page.page.locator("#count")).not_to_have_text("0")
    page.page.click("#play")
    assert "A 2-2-1 network" in page.text("#message")
    page.page.click("#reset")
    api.expect(page.page.locator("#message")).to_have_text("")


def test_what_has_no_effect_cannot_be_set(page):
    page.open("solvers=lm&networkShape=")
    for name in ("activation", "learningRate", "batchSize", "regularizationRate"):
        assert page.page.locator(f"#{name}").is_disabled()
    page.page.select_option("#regularization", "L2")
    page.settle("regularizationRate=0.01")
    page.page.click("#moreLayers")
    page.page.locator("#solvers").get_by_label("gd", exact=True).check()
    page.settle("solvers=gd,lm")
    for name in ("activation", "learningRate", "regularizationRate"):
        assert page.page.locator(f"#{name}").is_enabled()
    assert page.page.locator("#batchSize").is_disabled()


def test_points_that_were_being_drawn_end_with_their_problem(page):
    page.open()
    page.page.click("#draw")
    page.page.locator("#output").click()
    api.expect(page.page.locator("#draw")).to_have_text("Use")
    page.page.select_option("#problem", "curve")
    page.settle("problem=curve")
    api.expect(page.page.locator("#draw")).to_have_text("Draw")
    page.steps(1)


def test_a_weight_that_is_typed_keeps_the_focus(page):
    page.open()
    page.page.click("#tab-weights")
    page.page.get_by_label("W1, row 1, column 2", exact=True).fill("3.5")
    page.page.keyboard.press("Tab")
    api.expect(page.page.locator("#trainLoss")).not_to_have_text("0.9452")
    following = page.page.get_by_label("W1, row 1, column 3", exact=True)
    api.expect(following).to_be_focused()


def test_panels(page):
    page.open("solvers=gd,newton&problem=regression&networkShape=")
    for name, inside in [
        ("surface", "#surface"), ("trace", "#trace"), ("weights", "#weights input"),
        ("width", "#tryWidths"), ("python", "#python"), ("loss", "#chart"),
    ]:  # fmt: skip
        page.page.click(f"#tab-{name}")
        api.expect(page.page.locator(inside).first).to_be_visible()
    page.page.click("#tab-python")
    api.expect(page.page.locator("#python")).to_contain_text("GradientDescent(learning_rate=0.03)")
    page.page.click("#tab-width")
    page.page.click("#tryWidths")
    api.expect(page.page.locator("#message")).to_contain_text("Each by lm", timeout=20_000)
    page.page.locator("#tab-width").press("ArrowLeft")
    api.expect(page.page.locator("#panel-weights")).to_be_visible()


def test_a_weight_is_edited(page):
    page.open()
    before = page.loss()
    page.page.click("#tab-weights")
    weight = page.page.get_by_label("W1, row 1, column 2", exact=True)
    weight.fill("3.5")
    weight.press("Enter")
    api.expect(page.page.locator("#trainLoss")).not_to_have_text(f"{before:.4f}")
    page.page.locator("#diagram .touch").first.dispatch_event("click")
    page.page.locator("#card input").fill("-2")
    page.page.locator("#card input").press("Enter")
    api.expect(page.page.get_by_label("W1, row 1, column 1", exact=True)).to_have_value("-2")


def test_a_table_of_ones_own(page, tmp_path):
    page.open()
    page.page.click("#paste")
    page.page.fill("#tableText", "1,2,a\n3,b,c")
    page.page.click("#tableUse")
    api.expect(page.page.locator("#tableError")).to_contain_text("Row 2 holds 'b'")
    page.page.fill(
        "#tableText", "x,y,kind\n" + "\n".join(f"{i},{i % 3},{'ab'[i > 9]}" for i in range(20))
    )
    page.page.click("#tableUse")
    api.expect(page.page.locator("#message")).to_contain_text("20 points")
    page.steps(2)
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(100_000_000)
    page.page.click("#paste")
    page.page.set_input_files("#tableFile", huge)
    api.expect(page.page.locator("#tableError")).to_contain_text("100.0 MB; up to 1 MB")
    page.page.get_by_role("button", name="Cancel").click()
    page.steps(1)


def test_points_are_drawn(page):
    page.open()
    page.page.click("#draw")
    box = page.page.locator("#output").bounding_box()
    for i in range(8):
        page.page.mouse.click(box["x"] + 30 + 30 * i, box["y"] + 60)
    page.page.keyboard.down("Shift")
    for i in range(8):
        page.page.mouse.click(box["x"] + 30 + 30 * i, box["y"] + 240)
    page.page.keyboard.up("Shift")
    page.page.click("#draw")
    api.expect(page.page.locator("#message")).to_contain_text("16 points drawn")
    page.steps(2)


def test_what_a_hash_holds_wrongly_is_said(page):
    for hash_, said in [
        ("dataset=moons", "circle, xor"),
        ("networkShape=99", "from 1 to 8"),
        ("learningRate=1e9", "from 1e-05 to 10"),
        ("solvers=magic", "solver is one of"),
        ("problem=<img src=x onerror=alert(1)>", "problem is one of"),
    ]:
        page.page.goto("about:blank")
        page.page.goto(page.address + "#" + hash_)
        api.expect(page.page.locator("#message")).to_contain_text(said)


def test_a_curve_in_a_hash_needs_no_more(page):
    page.open("problem=curve")
    page.steps(1)
    assert "&y=false" in page.hash()


def test_layers_lie_apart_on_a_telephone(chromium, address):
    page = Page(chromium, address, viewport={"width": 390, "height": 844}).open("networkShape=8,8")
    boxes = [one.bounding_box() for one in page.page.locator("#diagram canvas").all()]
    lefts = sorted({round(box["x"]) for box in boxes})
    assert len(lefts) == 3  # features and two hidden layers
    assert min(b - a for a, b in zip(lefts, lefts[1:], strict=False)) > 2 * boxes[0]["width"]
    page.context.close()


def test_a_dropped_socket_is_opened_again(page):
    sockets = []

    def through(socket):
        server = socket.connect_to_server()
        sockets.append((socket, server))

    page.page.route_web_socket(re.compile("/ws"), through)
    page.open()
    page.steps(3)
    loss = page.loss()
    sockets[0][1].close()
    sockets[0][0].close()
    for _ in range(50):
        page.page.wait_for_timeout(100)
        if len(sockets) > 1 and page.page.locator("body[data-ready='true']").count():
            break
    api.expect(page.page.locator("#count")).to_have_text("3")
    assert page.loss() == loss
    page.steps(1)


def test_the_page_in_a_cell_of_a_notebook(page, address):
    """In a frame of a page of this machine, as wide as an output cell and 600 pixels high."""
    cell = f'<iframe src="{address}" width="100%" height="600"></iframe>'.encode()

    class Notebook(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(cell)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Notebook) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        page.page.set_viewport_size({"width": 960, "height": 700})
        page.page.goto(f"http://localhost:{server.server_port}/")
        frame = page.page.frame_locator("iframe")
        frame.locator("body[data-ready='true']").wait_for()
        frame.locator("#step").click()
        api.expect(frame.locator("#count")).to_have_text("1")
        body = frame.locator("body")
        assert body.evaluate("body => document.documentElement.scrollWidth <= innerWidth")
        server.shutdown()
    page.page.route(
        "http://stranger.example/", lambda route: route.fulfill(body=cell, content_type="text/html")
    )
    page.page.goto("http://stranger.example/")
    assert page.page.frames[1].url.startswith("chrome-error:")


def test_two_pages_at_once(page, chromium, address):
    other = Page(chromium, address).open("dataset=gauss&networkShape=2")
    page.open()
    page.steps(2)
    other.steps(3)
    page.steps(2)
    assert (page.epoch, other.epoch) == (4, 3)
    other.context.close()


def test_a_picture_is_saved(page, tmp_path):
    page.open()
    with page.page.expect_download() as download:
        page.page.click("#picture")
    download.value.save_as(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert (tmp_path / "picture.png").stat().st_size > 10_000


# Chromium's own decoder: of each picture of a GIF its size and pixels, red, green, blue, alpha.
DECODE = """async (base64) => {
  const data = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const decoder = new ImageDecoder({ data, type: "image/gif" });
  await decoder.tracks.ready;
  await decoder.completed;
  const pictures = [];
  for (let frameIndex = 0; frameIndex < decoder.tracks.selectedTrack.frameCount; frameIndex++) {
    const { image } = await decoder.decode({ frameIndex });
    const canvas = new OffscreenCanvas(image.displayWidth, image.displayHeight);
    canvas.getContext("2d").drawImage(image, 0, 0);
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    pictures.push([canvas.width, canvas.height, data]);
  }
  return pictures.map(([w, h, data]) => [w, h, SEEN]);
}"""


def test_a_gif_is_saved(page, tmp_path):
    page.open("dataset=xor&networkShape=4&solvers=gd,lm")
    with page.page.expect_download() as download:
        page.page.click("#gif")
        api.expect(page.page.locator("#count")).not_to_have_text(re.compile("^[0-2]$"))
        page.page.click("#gif")
    api.expect(page.page.locator("#gif")).to_have_text("Save GIF")
    download.value.save_as(tmp_path / "learns.gif")
    content = (tmp_path / "learns.gif").read_bytes()
    assert content.startswith(b"GIF89a") and b"NETSCAPE2.0" in content
    mean = "data.reduce((sum, v) => sum + v, 0) / data.length"
    pictures = page.page.evaluate(DECODE.replace("SEEN", mean), b64encode(content).decode())
    assert page.epoch + 1 == len(pictures) > 3
    assert len({(width, height) for width, height, _ in pictures}) == 1
    assert pictures[0][0] > 700 and pictures[0][1] > 500  # with the chart of losses
    assert len({seen for *_, seen in pictures}) == len(pictures)  # it moves
    page.steps(1)


def test_a_gif_holds_the_pixels_that_it_was_given(page):
    """Noise fills the table of codes again and again; most of the second picture is as before."""
    page.open()
    make = """async () => {
      const { gif, reduced } = await import("/static/gif.js");
      let seed = 1;
      const draw = (n) => { seed = (seed * 16807) % 2147483647; return seed % n; };
      const first = new Uint8ClampedArray(4 * 150 * 90).fill(255);
      first.forEach((_, i) => { if (i % 4 != 3) first[i] = 85 * draw(4); });
      const second = first.map((v, i) => (i % 4 != 3 && i > 30000 ? 255 - v : v));
      const blob = gif([first, second].map((data) => reduced({ data })), 150, 90, 10, 100);
      const bytes = new Uint8Array(await blob.arrayBuffer());
      return [[...first], [...second], btoa(String.fromCharCode(...bytes))];
    }"""
    first, second, content = page.page.evaluate(make)
    pictures = page.page.evaluate(DECODE.replace("SEEN", "[...data]"), content)
    for given, (width, height, seen) in zip((first, second), pictures, strict=True):
        assert (width, height) == (150, 90)
        assert max(abs(a - b) for a, b in zip(given, seen, strict=True)) <= 4  # 5 bits of a channel


def test_no_request_leaves_the_machine(page):
    page.open()
    page.steps(1)
    origin = page.address.partition("?")[0]
    asked = [url for url in page.asked if not url.startswith(("data:", "blob:", "about:"))]
    assert len(asked) > 5
    assert all(url.startswith(origin) for url in asked)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (820, 1180), (390, 844)])
def test_axe_finds_nothing_serious(chromium, address, theme, width, height):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    page = Page(
        chromium, address, viewport={"width": width, "height": height}, color_scheme=theme,
        bypass_csp=True,
    ).open()  # fmt: skip
    page.steps(1)
    found = axe.Axe().run(page.page).response["violations"]
    serious = [
        (one["id"], [node["html"][:90] for node in one["nodes"]][:4])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []
    wide = page.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    page.context.close()
