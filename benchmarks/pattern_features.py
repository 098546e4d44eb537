"""Hand-made features of binary pixel patterns, and a ridge regression on them, against which a scorer is held."""

import zlib
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage

STRENGTHS = np.logspace(-2, 4, 13)


def describe_pattern(cells: np.ndarray) -> dict[str, float]:
    """Density, edges, local and global entropy, symmetry, connected parts, n-grams, compressed size, spectrum."""
    side, density = len(cells), cells.mean()
    found = {"density": density, "entropy": entropy([density, 1 - density])}
    found["edges across"] = (cells[:, 1:] != cells[:, :-1]).mean()
    found["edges down"] = (cells[1:] != cells[:-1]).mean()
    found["edges aslant"] = ((cells[1:, 1:] != cells[:-1, :-1]).mean() + (cells[1:, :-1] != cells[:-1, 1:]).mean()) / 2
    for n in (2, 3):
        counts = count_grams(cells, n)
        found[f"{n}-gram entropy"] = entropy(counts / counts.sum())
        found[f"{n}-grams"] = (counts > 0).sum()
    for n in (3, 5, 8):
        light = sliding_window_view(cells, (n, n)).mean((2, 3))
        local = [entropy([p, 1 - p]) for p in light.ravel()]
        found[f"local entropy {n}"], found[f"spread of local entropy {n}"] = np.mean(local), np.std(local)
    turned = {"left-right": cells[:, ::-1], "top-bottom": cells[::-1], "diagonal": cells.T, "quarter": np.rot90(cells)}
    turned |= {"other diagonal": cells[::-1, ::-1].T, "half": cells[::-1, ::-1]}
    symmetries = {f"symmetry {name}": (cells == other).mean() for name, other in turned.items()}
    found |= symmetries | {"symmetry": max(symmetries.values())}
    for colour in (0, 1):
        for name, structure in (("4", None), ("8", np.ones((3, 3)))):
            parts, n_parts = ndimage.label(cells == colour, structure=structure)
            found[f"parts of {colour} by {name}"] = np.log1p(n_parts)
            found[f"largest of {colour} by {name}"] = np.bincount(parts.ravel())[1:].max(initial=0) / cells.size
    halves = {"left-right": (cells, cells[:, ::-1]), "top-bottom": (cells, cells[::-1])}
    for name, (one, other) in halves.items():
        along = (slice(None), slice(side // 2)) if name == "left-right" else (slice(side // 2), slice(None))
        p, q = (count_grams(half[along], 2) + 0.5 for half in (one, other))
        p, q = p / p.sum(), q / q.sum()
        found[f"KL of 2-grams {name}"] = ((p - q) * np.log(p / q)).sum()
    found["compressed"] = len(zlib.compress(np.packbits(cells.astype(np.uint8)).tobytes(), 9))
    found["rows"], found["columns"] = len(np.unique(cells, axis=0)), len(np.unique(cells.T, axis=0))
    power = np.abs(np.fft.fft2(cells - density)) ** 2
    total = max(power.sum(), 1e-9)
    found["frequency"] = (power * np.hypot(*np.meshgrid(*[np.fft.fftfreq(side)] * 2))).sum() / total
    found["spectral entropy"] = entropy(power.ravel() / total)
    for n in (2, 3, 5):
        found[f"spread of blocks {n}"] = sliding_window_view(cells, (n, n))[::n, ::n].mean((2, 3)).std()
    return {name: float(value) for name, value in found.items()}


def entropy(shares: object) -> float:
    shares = np.asarray(shares, dtype=float)
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def count_grams(cells: np.ndarray, n: int) -> np.ndarray:
    """How often each pattern of n x n cells occurs."""
    grams = sliding_window_view(cells, (n, n)).reshape(-1, n * n).astype(int)
    return np.bincount(grams @ (1 << np.arange(n * n)), minlength=1 << (n * n))


def fit_ridge(x: np.ndarray, y: np.ndarray, strength: float) -> Callable[[np.ndarray], np.ndarray]:
    """Regress on standardised features; what is returned predicts."""
    centre, spread = x.mean(0), np.where(x.std(0) > 0, x.std(0), 1)
    z = (x - centre) / spread
    weights = np.linalg.solve(z.T @ z + strength * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    return lambda new: y.mean() + (new - centre) / spread @ weights


def choose_strength(x: np.ndarray, y: np.ndarray, part: np.ndarray) -> float:
    """The strength with the least squared error on each part, when fitted to the others."""

    def compute_error(strength: float) -> float:
        told = [fit_ridge(x[part != p], y[part != p], strength)(x[part == p]) - y[part == p] for p in np.unique(part)]
        return float(np.mean(np.concatenate(told) ** 2))

    return min(STRENGTHS, key=compute_error)


def split_half(ratings: pd.DataFrame, items: list[str], *, n_splits: int = 500, random_seed: int = 0) -> float:
    """Rank correlation of the mean ratings by two halves of the people, over random halves of each group of people.

    A group is those who rated the same items.
    """
    table = ratings.pivot_table("rating", "rater", "item")
    group = table.notna().apply(lambda row: hash(tuple(row)), axis=1).to_numpy()
    table, rng, found = table[items], np.random.default_rng(random_seed), []
    for _ in range(n_splits):
        place = pd.Series(rng.random(len(table))).groupby(group).rank()
        size = place.groupby(group).transform("size")
        first = (place <= size / 2).to_numpy()
        halves = pd.concat([table[first].mean(), table[~first].mean()], axis=1)
        found.append(halves.corr("spearman").iloc[0, 1])
    return float(np.mean(found))
