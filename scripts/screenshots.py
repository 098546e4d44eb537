"""Take the pictures of the report that the documentation shows: desktop, phone, dark. Run it by ``make screenshots``.

Needs Chromium or Chrome. The study is simulated, of the size of PPaint, with drawn pictures in place of paintings.
"""

import argparse
import colorsys
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import ppaint_stats as ps
from ppaint_stats.study_report import report_study

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FIGURES = Path(__file__).parents[1] / "docs" / "figures"
DARK = "--blink-settings=preferredColorScheme=0"
LARGEST = 300_000
"""Bytes of a picture."""


def draw_pictures(items: tuple[str, ...], folder: Path) -> None:
    """Draw an abstract picture for each item."""
    rng = np.random.default_rng(1)
    for item in items:
        hue = rng.random()
        ground = colorsys.hsv_to_rgb(hue, 0.25, 0.95)
        picture = Image.new("RGB", (160, 160), tuple(int(255 * c) for c in ground))
        pen = ImageDraw.Draw(picture)
        for _ in range(7):
            x, y = rng.integers(0, 150, 2)
            size = int(rng.integers(20, 90))
            colour = colorsys.hsv_to_rgb((hue + rng.normal(0, 0.12)) % 1, rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.9))
            pen.ellipse((x, y, x + size, y + size * rng.uniform(0.3, 1)), fill=tuple(int(255 * c) for c in colour))
        picture.filter(ImageFilter.GaussianBlur(2)).save(folder / f"{item}.jpg")


def shoot(browser: str, page: Path, target: Path, *, width: int, height: int, flags: tuple[str, ...] = ()) -> None:
    """Take one picture; a frame makes windows as narrow as a phone."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        frame = place / "frame.html"
        style = f"border:0;width:{width}px;height:{height}px"
        frame.write_text(f'<body style="margin:0"><iframe src="{page.as_uri()}" style="{style}"></iframe>')
        shot = place / "shot.png"
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage",
            f"--user-data-dir={place / 'profile'}", "--allow-file-access-from-files", "--virtual-time-budget=4000",
            f"--window-size={max(width, 600)},{height}", f"--screenshot={shot}", *flags, frame.as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True, timeout=180)  # noqa: S603 - words of this file
        picture = Image.open(shot).convert("RGB").crop((0, 0, width, height))
    for colours in (256, 128, 64, 32):
        picture.quantize(colours).save(target, optimize=True)
        if target.stat().st_size < LARGEST:
            break
    print(f"{target}: {target.stat().st_size / 1e3:.0f} kB")


def main() -> None:
    """Make the report and its pictures."""
    parser = argparse.ArgumentParser(description="Screenshots of the report.")
    parser.add_argument("--out", type=Path, default=FIGURES, help="folder of the pictures")
    parser.add_argument("--quick", action="store_true", help="a small study")
    args = parser.parse_args()
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"needs a browser: one of {', '.join(BROWSERS)}")
    design = ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=60) if args.quick else ps.PPaintDesign()
    study = ps.simulate_study(design, random_seed=1).study
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_pictures(study.items(), folder)
        fusions = [ps.fuse_davidson(study, random_seed=1), ps.fuse_elo(study, random_seed=1, n_orders=20)]
        reliability = ps.assess_reliability(study, n_boot=50 if args.quick else 500, random_seed=1)
        report = report_study(
            study, fusions=fusions, reliability=reliability, images=folder, simulated=True, random_seed=1,
            title="Paintings, judged by 15 experts",
        )  # fmt: skip
        page = folder / "report.html"
        report.to_html(page)
        scores = folder / "scores.html"
        # The dark picture starts at the scores.
        jump = "document.documentElement.style.scrollBehavior='auto';document.getElementById('scores').scrollIntoView()"
        scores.write_text(page.read_text("utf-8").replace("</body>", f"<script>{jump}</script></body>"), "utf-8")
        print(f"report: {page.stat().st_size / 1e6:.2f} MB")
        args.out.mkdir(parents=True, exist_ok=True)
        shoot(browser, page, args.out / "report_desktop.png", width=1280, height=1000)
        shoot(browser, page, args.out / "report_phone.png", width=390, height=844)
        shoot(browser, scores, args.out / "report_dark.png", width=1280, height=900, flags=(DARK,))


if __name__ == "__main__":
    main()
