"""The report in a real browser: no error, nothing loaded, tables that sort and filter, dark mode, phones, paper."""

import json
import os
import re
import shutil
import subprocess
import tempfile
from html import escape, unescape
from pathlib import Path

import pytest
from bayes_helpers import simulate
from test_study_report import EVIL, make_evil

import ppaint_stats as ps
from ppaint_stats.study_report import report_study

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER = next((path for name in BROWSERS if (path := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"no browser is installed: none of {', '.join(BROWSERS)}")

# A page of a file may not be measured from outside; what was seen is written into the page itself.
REPORT_SEEN = """
<pre id="seen"></pre><script>
var seen = {};
function cells(table, column) {
  return Array.prototype.filter.call(table.tBodies[0].rows, function (r) { return !r.hidden; })
    .map(function (r) { return r.cells[column].textContent; });
}
window.addEventListener("load", function () {
  try { %s } catch (error) { seen.error = String(error); }
  document.getElementById("seen").textContent = JSON.stringify(seen);
});
</script>
"""


def browse(page, folder, *flags, script="", wait=4000):
    """Open a page, run a script in it, and return what it saw, and what the console said."""
    file = Path(folder) / "page.html"
    text = page.replace("</body>", REPORT_SEEN % script + "</body>") if script else page
    file.write_text(text, encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile:
        command = [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={profile}", "--enable-logging=stderr", "--v=0", "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--virtual-time-budget={wait}", "--window-size=1280,900", *flags, "--dump-dom", file.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env={**os.environ})
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    found = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    return (json.loads(unescape(found[1])) if found and found[1] else {}), console, done.stdout


@pytest.fixture(scope="module")
def page():
    study = make_evil(simulate(n_items=12, n_raters=4, n_pairs=40, dimensions=("mood", "line")))
    fusion = ps.fuse_davidson(study)
    reliability = ps.assess_reliability(study, n_boot=30, n_subsets=1, random_seed=1)
    return report_study(study, fusions=fusion, reliability=reliability, random_seed=1, progressbar=False).to_html()


def test_no_error_nothing_loaded_and_names_stay_text(page, tmp_path):
    script = """
      seen.loaded = performance.getEntriesByType("resource").map(function (e) { return e.name; });
      seen.scripts = document.scripts.length;
      seen.images = document.images.length;
      seen.text = document.body.innerText;
      seen.h1 = document.querySelectorAll("h1").length;
      seen.unlabelled = Array.prototype.filter.call(document.querySelectorAll("input, select"), function (c) {
        return !c.labels.length; }).length;
    """
    seen, console, dom = browse(page, tmp_path, script=script)
    assert console == []
    assert "error" not in seen
    assert seen["loaded"] == []
    assert seen["scripts"] == 2  # the page's own, and the one of this test
    assert seen["images"] == 0
    assert seen["h1"] == 1
    assert seen["unlabelled"] == 0
    for name in (EVIL, f"category {EVIL}", f"dimension {EVIL}", f"rater {EVIL}"):
        assert name in seen["text"]
    assert "<script>alert" not in dom


def test_tables_sort_by_number_and_by_text(page, tmp_path):
    script = """
      var table = document.querySelector("#scores table"), heads = table.tHead.rows[0].cells, names = [];
      for (var i = 0; i < heads.length; i++) names.push(heads[i].textContent);
      function click(name) { heads[names.indexOf(name)].querySelector("button").click(); }
      var score = names.indexOf("score"), item = names.indexOf("item");
      seen.names = names;
      click("score"); seen.up = cells(table, score); seen.aria = heads[score].getAttribute("aria-sort");
      click("score"); seen.down = cells(table, score); seen.aria2 = heads[score].getAttribute("aria-sort");
      click("item"); seen.items = cells(table, item); seen.aria3 = heads[score].getAttribute("aria-sort");
      var button = heads[item].querySelector("button"); button.focus();
      seen.focus = document.activeElement === button;
    """
    seen, console, _ = browse(page, tmp_path, script=script)
    assert console == []
    up = [float(text.split()[0]) for text in seen["up"]]
    assert len(up) > 10
    assert up == sorted(up)
    assert [float(text.split()[0]) for text in seen["down"]] == up[::-1]
    assert (seen["aria"], seen["aria2"], seen["aria3"]) == ("ascending", "descending", "none")
    names = [text for text in seen["items"] if re.search(r"\d$", text) and text.startswith("flower")]
    assert names == sorted(names)
    assert seen["focus"]


def test_search_and_filters(page, tmp_path):
    script = """
      var section = document.querySelector("#scores"), table = section.querySelector("table");
      var search = section.querySelector("input[type=search]"), select = section.querySelector("select");
      seen.all = cells(table, 1).length;
      search.value = "alert(1)<\\/SCRIPT>"; search.dispatchEvent(new Event("input"));
      seen.found = cells(table, 1);
      seen.status = section.querySelector("[role=status]").textContent;
      search.value = "bird-07"; search.dispatchEvent(new Event("input")); seen.one = cells(table, 1);
      search.value = ""; search.dispatchEvent(new Event("input")); seen.again = cells(table, 1).length;
      var long = document.querySelector("#reliability details .controls select");
      var rows = long.closest("details").querySelector("table");
      long.value = long.options[1].value; long.dispatchEvent(new Event("change"));
      seen.kinds = Array.from(new Set(cells(rows, 0)));
    """
    seen, console, _ = browse(page, tmp_path, script=script)
    assert console == []
    assert "error" not in seen
    assert seen["all"] == seen["again"] == len(seen["found"])  # the category of every row holds that name
    assert seen["status"] == f"{seen['all']} of {seen['all']} rows"
    assert set(seen["one"]) == {"flower-and-bird-07"}
    assert len(seen["kinds"]) == 1


COLOURS = """
  function shade(text) {
    return text.match(/\\d+(\\.\\d+)?/g).slice(0, 3).map(function (v) {
      v /= 255; return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4); })
      .reduce(function (sum, v, i) { return sum + v * [0.2126, 0.7152, 0.0722][i]; }, 0);
  }
  function ground(e) {
    for (; e; e = e.parentElement) {
      var c = getComputedStyle(e).backgroundColor;
      if (c !== "rgba(0, 0, 0, 0)") return c;
    }
    return "rgb(255, 255, 255)";
  }
  function worst() {
    var least = 99;
    document.querySelectorAll("main p, main h2, th, td, .tag, summary, caption, figcaption, .top a, label, button, .do")
      .forEach(function (e) {
        if (!e.textContent.trim()) return;
        var a = shade(getComputedStyle(e).color), b = shade(ground(e));
        least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
      });
    return least;
  }
  seen.first = getComputedStyle(document.body).backgroundColor; seen.contrast = worst();
  document.querySelector("button.theme").click();
  seen.then = getComputedStyle(document.body).backgroundColor; seen.contrast2 = worst();
  var drawing = document.querySelector("#scores .drawing:not(.plain)"), words = drawing.querySelector("text");
  seen.ground = getComputedStyle(drawing).backgroundColor;
  var a = shade(getComputedStyle(words).fill), b = shade(seen.ground);
  seen.drawn = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  seen.kept = getComputedStyle(document.querySelector(".drawing.plain")).backgroundColor;
"""


@pytest.mark.parametrize("flags", [(), ("--blink-settings=preferredColorScheme=0",)], ids=["light", "dark"])
def test_light_and_dark_follow_the_system_and_the_button(page, tmp_path, flags):
    seen, console, _ = browse(page, tmp_path, *flags, script=COLOURS)
    assert console == []
    assert "error" not in seen
    light, dark = "rgb(255, 255, 255)", "rgb(20, 24, 28)"
    assert (seen["first"], seen["then"]) == ((dark, light) if flags else (light, dark))
    assert seen["contrast"] >= 4.5
    assert seen["contrast2"] >= 4.5
    assert seen["ground"] == seen["then"]  # drawings follow the page, all but heat maps
    assert seen["drawn"] >= 4.5
    assert seen["kept"] == light


def test_a_phone_scrolls_in_one_direction(page, tmp_path):
    frame = f'<iframe id="phone" width="390" height="844" srcdoc="{escape(page)}"></iframe>'
    script = """
      var inside = document.getElementById("phone").contentDocument, root = inside.documentElement;
      inside.querySelectorAll("details").forEach(function (d) { d.open = true; });
      seen.width = root.clientWidth; seen.scroll = Math.max(root.scrollWidth, inside.body.scrollWidth);
    """
    seen, _, _ = browse(f"<!DOCTYPE html><html><body>{frame}</body></html>", tmp_path, script=script)
    assert "error" not in seen
    assert 370 <= seen["width"] <= 390
    assert seen["scroll"] <= seen["width"]


def test_the_page_is_whole_without_script(page, tmp_path):
    _, _, dom = browse(page.replace("<script>", "<template>").replace("</script>", "</template>"), tmp_path)
    assert dom.count("<tr") > 30
    assert '<div class="controls"' not in dom
    assert '<button type="button" class="sort"' not in dom


def print_pages(page, folder, name):
    """Print a page; return how many sheets it takes."""
    file, paper = folder / f"{name}.html", folder / f"{name}.pdf"
    file.write_text(page, encoding="utf-8")
    with tempfile.TemporaryDirectory() as profile:
        command = [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            f"--user-data-dir={profile}", "--no-pdf-header-footer", f"--print-to-pdf={paper}", file.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, capture_output=True, check=True, timeout=120)
    content = paper.read_bytes()
    assert content.startswith(b"%PDF")
    return len(re.findall(rb"/Type\s*/Page\b", content))


def test_paper_is_short_and_holds_all_rows_when_asked(page, tmp_path):
    asked = page.replace('<body class="ppaint">', '<body class="ppaint" data-paper="all">')
    assert asked != page
    every = print_pages(asked, tmp_path, "all")
    assert every > 8
    assert print_pages(page, tmp_path, "short") < every


def test_the_button_prints_all_and_then_lets_go(page, tmp_path):
    script = """
      window.print = function () {
        seen.paper = document.body.getAttribute("data-paper");
        window.dispatchEvent(new Event("beforeprint"));
        seen.closed = document.querySelectorAll("details:not([open])").length;
        window.dispatchEvent(new Event("afterprint"));
      };
      document.querySelector("button.paper").click();
      seen.after = document.body.getAttribute("data-paper");
      seen.folded = document.querySelectorAll("details:not([open])").length;
      var long = document.querySelector(".scroll[data-rows]");
      seen.rows = long.getAttribute("data-rows"); seen.held = long.querySelectorAll("tbody tr").length;
    """
    seen, console, _ = browse(page, tmp_path, script=script)
    assert console == []
    assert "error" not in seen
    assert (seen["paper"], seen["after"], seen["closed"]) == ("all", None, 0)
    assert seen["folded"] > 0
    assert int(seen["rows"]) == seen["held"] > 30
