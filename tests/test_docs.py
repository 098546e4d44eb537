"""Code in the documentation runs: the blocks of a page in order, in a folder with small tables; sampling is brief.

Commands run among the slow tests (``make test-slow``); here their options are looked at.
"""

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import matplotlib.pyplot as plt
import pandas as pd
import pytest
import typer
from bayes_helpers import fuse

import ppaint_stats as ps

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^( *)```(python|text|console)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
ELSEWHERE = (
    "python -m pip",
    "make ",
    "ppaint --",
    "ppaint-distill ",
    "hf ",
    "accelerate ",
    "CUDA_VISIBLE_DEVICES",
    "wait",
)
"""Commands of other programs, of the distillation, which has tests of its own, and what changes the shell."""

SHORTER = {
    r"--method bayes(?!.*--draws)": "--method bayes --draws 60 --tune 100 --chains 2",
    r"--draws \d+ --tune \d+ --chains \d+": "--draws 60 --tune 100 --chains 2",
    r"ppaint demo$": "ppaint demo --quick",
    r"--n-boot \d+": "--n-boot 50",
}
"""What is cut short where a command would take minutes."""

pytestmark = [
    # A study that fits in seconds is too small for some of the methods, which say so.
    pytest.mark.filterwarnings("ignore::ppaint_stats.errors.PPaintWarning"),
    # Notebooks close figures by themselves, scripts at their end.
    pytest.mark.filterwarnings("ignore:More than 20 figures"),
]


def read_blocks(page, *kinds):
    text = (ROOT / page).read_text(encoding="utf-8")
    return [(kind, textwrap.dedent(body)) for _, kind, body in BLOCK.findall(text) if kind in kinds]


def list_pages(kind):
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    names = [str(page.relative_to(ROOT)) for page in pages]
    return [name for name in names if any(found == kind for found, _ in read_blocks(name, kind))]


def needs_torch(page):
    return any("ppaint_distill" in body for _, body in read_blocks(page, "python"))


@pytest.fixture(scope="module")
def study():
    design = ps.PPaintDesign(n_categories=1, n_items=8, n_raters=4, n_pairs=20, dimensions=("overall", "mood"))
    return rename(ps.simulate_study(design, random_seed=1).study)


def rename(study):
    """The names that the pages use."""
    changed = {"flower-and-bird": "landscape"}
    tables = {}
    for name in ("ratings", "preferences"):
        table = getattr(study, name).copy()
        table["category"] = table["category"].replace(changed)
        for column in {"item", "item_a", "item_b"} & set(table.columns):
            numbers = table[column].str.extract(r"(\d+)$")[0].astype(int)
            table[column] = "item-" + numbers.map(lambda number: "abcdefgh"[number - 1])
        tables[name] = table
    return ps.Study(**tables, scale=study.scale)


@pytest.fixture(scope="module")
def bayes(study):
    return fuse(study)


@pytest.fixture
def folder(study, bayes, tmp_path, monkeypatch):
    """Where a page runs: the files that pages name."""
    monkeypatch.chdir(tmp_path)
    for prefix in ("", "pilot_"):
        study.ratings.to_csv(f"{prefix}ratings.csv", index=False)
        study.preferences.to_csv(f"{prefix}preferences.csv", index=False)
    study.save("my-study")
    bayes.save("pilot.nc")
    pd.DataFrame({"item": [f"item-{i}" for i in range(60)], "first_score": range(60)}).to_csv("items.csv", index=False)
    pairs = study.preferences.rename(columns={"outcome": "winner", "item_a": "left", "item_b": "right"})
    margins = pairs["winner"].map({"A": 50, "TIE": 0, "B": -50})
    pairs.assign(margin=margins).to_csv("pairs.csv", index=False)
    return tmp_path


@pytest.fixture
def brief(monkeypatch):
    """Few draws, splits, worlds and items to plan for in what takes minutes; all else is as the page says."""
    import ppaint_stats.fuse.bayes as home

    sample = home.fuse_bayes

    def cut_short(study, **options):
        return sample(study, **options | {"draws": 60, "tune": 100, "chains": 2, "progressbar": False})

    monkeypatch.setattr(home, "fuse_bayes", cut_short)
    monkeypatch.setattr(ps, "fuse_bayes", cut_short, raising=False)

    compare, plan = ps.compare_fusions, ps.plan_study
    few = {"n_splits": 1, "n_permutations": 1}
    monkeypatch.setattr(ps, "compare_fusions", lambda *a, **k: compare(*a, **k | few), raising=False)

    def plan_little(**k):
        return plan(**k | {"n_worlds": 1} | ({"n_items": 30} if "n_items" in k else {}))

    monkeypatch.setattr(ps, "plan_study", plan_little, raising=False)


@pytest.mark.parametrize("page", [page for page in list_pages("python") if not needs_torch(page)])
def test_python_blocks_run_in_order(page, folder, brief, study, bayes, capsys):
    if '.save("my-study")' in "".join(body for _, body in read_blocks(page, "python")):
        shutil.rmtree(folder / "my-study")
    names = {"ps": ps, "study": study, "bayes": bayes, "fusion": bayes}
    names |= {"elo": ps.fuse_elo(study, interval="none", random_seed=1)}
    printed = ""
    for number, (kind, body) in enumerate(read_blocks(page, "python", "text"), start=1):
        if kind == "python" and "dask" not in body:  # a cluster; tests of cross_validate start one
            capsys.readouterr()
            exec(compile(body, f"{page}, block {number}", "exec"), names)
            printed = capsys.readouterr().out.strip()
        elif kind == "text" and printed:  # what the block above prints
            assert printed == body.strip()
    plt.close("all")


def read_commands(page):
    """Commands behind the prompts of a page's console blocks, continued lines joined."""
    text = "\n".join(body for _, body in read_blocks(page, "console")).replace("\\\n", " ")
    return [line.removeprefix("$ ").split("   #")[0].strip() for line in text.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("page", list_pages("console"))
def test_commands_have_the_options_that_pages_give_them(page):
    """Every command of the two programs is read, as far as its options go; it is run among the slow tests."""
    apps = {"ppaint": "ppaint_stats.cli", "ppaint-distill": "ppaint_distill.cli"}
    for command in read_commands(page):
        program, *words = shlex.split(command.partition(" | ")[0].partition(" &")[0])
        if program in apps and words and not words[0].startswith("-"):
            group = typer.main.get_command(importlib.import_module(apps[program]).app)
            chosen = group.commands[words[0]]
            chosen.make_parser(click.Context(chosen)).parse_args(words[1:])


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """A folder with the programs, as an installation puts them on the path."""
    place = tmp_path_factory.mktemp("bin")
    program = place / "ppaint"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m ppaint_stats "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    return place


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
@pytest.mark.parametrize(
    "page",
    [
        page
        for page in list_pages("console")
        if any(not command.startswith(ELSEWHERE) for command in read_commands(page))
    ],
)
def test_commands_run_in_order(page, folder, programs):
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    for command in read_commands(page):
        if command.startswith(ELSEWHERE) or "jq" in command:
            continue
        short = command
        for pattern, other in SHORTER.items():
            short = re.sub(pattern, other, short)
        done = subprocess.run(
            ["sh", "-c", short], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        # 1 says that a check failed: sixty draws do not pass the sampler's gate.
        assert done.returncode == 0 or (done.returncode == 1 and "draws 60" in short), f"{command}\n{done.stderr}"


def test_links_of_the_readme_lead_somewhere():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
    assert len(links) > 5
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert not missing
