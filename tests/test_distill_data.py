"""Tests of training data: matching, splitting, batches, pair targets, augmentation."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ppaint_distill.batches import AUGMENTATIONS, augment_image, draw_batch, look_ahead, make_micro_batch
from ppaint_distill.data import TrainingData, match_targets, split_rows
from ppaint_distill.errors import ConfigError, SkippedWarning
from ppaint_distill.images import ImageFile
from ppaint_distill.targets import Targets
from ppaint_stats.errors import DataError


def write_image(folder: Path, item: str, shade: int) -> Path:
    path = folder / f"{item}.png"
    Image.new("RGB", (4, 4), (shade, shade, shade)).save(path)
    return path


def make_targets(rows: list[tuple[str, str, str, float]], *, draws: bool = False) -> Targets:
    frame = pd.DataFrame(rows, columns=["category", "dimension", "item", "score"]).assign(sd=0.5)
    drawn = None
    if draws:
        rng = np.random.default_rng(0)
        drawn = {
            (category, dimension): rng.uniform(1, 5, size=(6, len(part)))
            for (category, dimension), part in frame.groupby(["category", "dimension"], sort=False)
        }
    return Targets(frame, (1, 5), drawn)


def make_data(n: int, *, categories: int = 1) -> TrainingData:
    names = tuple(f"i{row:03d}" for row in range(n))
    return TrainingData(
        items=names,
        categories=tuple(sorted(f"c{row % categories}" for row in range(n))),
        files=tuple(ImageFile(name, Path(name), name) for name in names),
        dimensions=("mood",),
        scores=np.linspace(1, 5, n)[:, None],
        sds=np.full((n, 1), 0.5),
        draws=None,
        skipped=pd.DataFrame(),
    )


def test_targets_meet_images_by_name_and_what_is_left_out_is_listed(tmp_path):
    for shade, item in enumerate(("a", "b", "c", "idle")):
        write_image(tmp_path, item, shade)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG and no more")
    rows = [("x", "mood", item, 2.0 + place) for place, item in enumerate(("b", "a", "broken"))]
    rows += [("y", "mood", "c", 1.0), ("x", "overall", "a", 4.0), ("y", "mood", "gone", 3.0)]
    targets = make_targets(rows, draws=True)
    with pytest.warns(SkippedWarning, match=r"1 image\(s\) that cannot be read .*1 image\(s\) without target \(idle\)"):
        data = match_targets(targets, tmp_path, dimensions=("overall", "mood"), progressbar=False)
    assert data.items == ("a", "b", "c")
    assert data.categories == ("x", "x", "y")
    assert np.array_equal(data.scores, [[4, 3], [np.nan, 2], [np.nan, 1]], equal_nan=True)
    assert np.array_equal(data.sds, [[0.5, 0.5], [np.nan, 0.5], [np.nan, 0.5]], equal_nan=True)
    mood = targets.draws["x", "mood"].astype(np.float32)  # in the order b, a, broken
    assert np.array_equal(data.draws[:, 0, 1], mood[:, 1])
    assert np.array_equal(data.draws[:, 1, 1], mood[:, 0])
    assert np.isnan(data.draws[:, 1, 0]).all()
    kinds = dict(zip(data.skipped["item"], data.skipped["kind"], strict=True))
    assert kinds == {"broken": "corrupt", "idle": "no-target", "gone": "no-image"}


def test_a_mapping_or_image_files_will_do(tmp_path):
    paths = {item: write_image(tmp_path, f"file-{item}", shade) for shade, item in enumerate("ab")}
    targets = make_targets([("x", "mood", "a", 1.0), ("x", "mood", "b", 2.0)])
    files = [ImageFile(item, path) for item, path in paths.items()]
    for images in (paths, files):
        assert match_targets(targets, images, dimensions=("mood",), progressbar=False).items == ("a", "b")
    with pytest.raises(DataError, match="more than one image: a"):
        match_targets(targets, [*files, files[0]], dimensions=("mood",), progressbar=False)


def test_too_few_images_say_which_names_were_sought(tmp_path):
    write_image(tmp_path, "a", 0)
    targets = make_targets([("x", "mood", "z", 1.0), ("x", "mood", "b", 2.0)])
    with pytest.warns(SkippedWarning), pytest.raises(DataError, match="Targets are of b, z, images are a"):
        match_targets(targets, tmp_path, dimensions=("mood",), progressbar=False)
    with pytest.raises(DataError, match="no targets for the dimensions"):
        match_targets(targets, tmp_path, dimensions=("colour",), progressbar=False)


def test_split_is_by_category_and_the_same_every_time():
    data = make_data(60, categories=3)
    trained, held = split_rows(data, fraction=0.1, random_seed=4)
    assert sorted([*trained, *held]) == list(range(60))
    names = [data.categories[row] for row in held]
    assert [names.count(name) for name in ("c0", "c1", "c2")] == [3, 3, 3]  # 2, and at least 3
    again = split_rows(data, fraction=0.1, random_seed=4)
    assert np.array_equal(held, again[1])
    assert not np.array_equal(held, split_rows(data, fraction=0.1, random_seed=5)[1])
    assert len(split_rows(data, fraction=0.0, random_seed=4)[1]) == 0


def test_split_by_names_and_copies_stay_together():
    data = make_data(6)
    files = [
        ImageFile(file.item, file.path, "same" if file.item in {"i001", "i004"} else file.hash) for file in data.files
    ]
    data = TrainingData(**{**vars(data), "files": tuple(files)})
    trained, held = split_rows(data, fraction=0.5, validation=["i001"], random_seed=0)
    assert held.tolist() == [1, 4]
    assert trained.tolist() == [0, 2, 3, 5]
    with pytest.raises(DataError, match="nobody"):
        split_rows(data, fraction=0.5, validation=["nobody"], random_seed=0)
    with pytest.raises(ConfigError, match="validation_fraction"):
        split_rows(data, fraction=1.0, random_seed=0)


@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 5))
def test_every_epoch_shows_each_row_at_most_once(n, batch_size, seed):
    rows = np.arange(10, 10 + n)
    per_epoch = max(1, n // batch_size)
    epochs = []
    for epoch in range(2):
        steps = range(epoch * per_epoch + 1, (epoch + 1) * per_epoch + 1)
        shown = [draw_batch(rows, step, batch_size=batch_size, random_seed=seed) for step in steps]
        assert all(len(batch) == min(batch_size, n) for batch in shown)
        epochs.append(np.concatenate(shown))
        assert len(set(epochs[-1])) == len(epochs[-1])
        assert set(epochs[-1]) <= set(rows)


def test_pairs_are_within_a_category_and_where_both_have_targets():
    data = make_data(6, categories=2)
    data.scores[1, 0] = np.nan
    part = make_micro_batch(data, np.arange(6), step=1, preferences="hard", weigh=False)
    weights = part.weights.squeeze(-1)
    expected = torch.zeros(6, 6)
    for i, j in ((0, 2), (3, 4), (3, 5), (4, 5)):
        expected[i, j] = expected[j, i] = 1
    assert torch.equal(weights, expected)
    assert part.totals.tolist() == [4, 5, 6]
    assert torch.isfinite(part.scores).all()
    assert torch.equal(part.preferences.squeeze(-1)[3], torch.tensor([0.5, 0.5, 0.5, 0.5, 0.0, 0.0]))


def test_soft_preferences_come_from_joint_draws_else_from_sds():
    data = make_data(3)
    soft = make_micro_batch(data, np.arange(3), step=1, preferences="soft", weigh=True)
    z = (1 - 3) / np.hypot(0.5, 0.5)
    assert float(soft.preferences[0, 1, 0]) == pytest.approx(float(torch.special.ndtr(torch.tensor(z))), abs=1e-6)
    assert float(soft.weights[0, 1, 0]) == pytest.approx(abs(2 * float(soft.preferences[0, 1, 0]) - 1), abs=1e-6)
    drawn = np.array([[1, 2, 2], [3, 2, 2]], dtype=np.float32)[..., None]
    joint = make_micro_batch(replace(data, draws=drawn), np.arange(3), step=1, preferences="soft", weigh=True)
    assert joint.preferences[0, 1, 0] == 0.5
    assert joint.weights[0, 1, 0] == 0
    assert joint.preferences[1, 2, 0] == 0.5


def test_augmentations_keep_what_they_should():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, size=(4, 6, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    assert augment_image(image, (), rng) is image
    seen = {np.asarray(augment_image(image, ["rotate"], rng)).tobytes() for _ in range(40)}
    assert len(seen) == 4
    seen = {np.asarray(augment_image(image, ["invert"], rng)).tobytes() for _ in range(20)}
    assert seen == {pixels.tobytes(), (255 - pixels).tobytes()}
    seen = {np.asarray(augment_image(image, ["flip-horizontal", "flip-vertical"], rng)).tobytes() for _ in range(40)}
    assert seen == {pixels[::a, ::b].tobytes() for a in (1, -1) for b in (1, -1)}
    first = [augment_image(image, AUGMENTATIONS, np.random.default_rng(3)).tobytes() for _ in range(2)]
    assert first[0] == first[1]
    with pytest.raises(ConfigError, match="flip-diagonal"):
        augment_image(image, ["flip-diagonal"], rng)


def test_looking_ahead_keeps_order_and_passes_errors_on():
    caller = threading.get_ident()
    made = list(look_ahead(range(5), lambda piece: (piece, threading.get_ident())))
    assert [piece for piece, _ in made] == list(range(5))
    assert all(thread != caller for _, thread in made)
    stream = look_ahead(iter([1, 0, 2]), lambda piece: 1 / piece)
    assert next(stream) == 1
    with pytest.raises(ZeroDivisionError):
        next(stream)


def test_a_held_out_image_that_cannot_be_read_does_not_end_the_run():
    data = make_data(6)
    skipped = pd.DataFrame(
        [("broken", "broken.png", "corrupt", "cut short"), ("gone", "", "no-image", "no image has this name")],
        columns=["item", "path", "kind", "reason"],
    )
    data = replace(data, skipped=skipped)
    rows = split_rows(data, fraction=0.5, validation=["i001", "broken"], random_seed=0)
    assert [part.tolist() for part in rows] == [[0, 2, 3, 4, 5], [1]]
    with pytest.raises(DataError, match=": gone"):
        split_rows(data, fraction=0.5, validation=["i001", "gone"], random_seed=0)
