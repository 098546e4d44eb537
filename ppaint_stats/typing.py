"""Literals and array types that the whole package shares."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

type FloatArray = NDArray[np.float64]
type IntArray = NDArray[np.int64]
type BoolArray = NDArray[np.bool_]

type Outcome = Literal["A", "TIE", "B"]
type Protocols = Literal["both", "ratings", "preferences"]
type Target = Literal["population", "panel", "relative"]
type IntervalKind = Literal["jackknife", "bootstrap", "hessian", "posterior", "none"]
type RandomSeed = int | np.random.SeedSequence | None
