"""Fits by name, and fits of another study in the way of a fusion that is there already."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_args

from ppaint_stats.errors import ArgumentError
from ppaint_stats.fusion import Fusion
from ppaint_stats.priors import LogNormal, Normal, Priors
from ppaint_stats.study import Study
from ppaint_stats.typing import Protocols, RandomSeed

METHODS = ("elo", "davidson", "thurstone", "bayes", "laplace")
SHORT = {"ratings": "davidson:ratings", "preferences": "davidson:preferences"}
"""Names for the plain fit of one protocol: best linear predictions from ratings, Davidson's strengths."""

SAMPLED = ("bayes", "laplace")
MAX_REFIT_ORDERS = 50
"""Random orders of an Elo refit: differences between refits are far larger than what remains of the orders."""

_SETTINGS = {
    "davidson": ("rating_weight", "order_effect", "discount", "bend"),
    "elo": ("k", "anchor_games", "start_slope", "n_orders", "max_passes", "tol", "order_effect", "bend"),
    "thurstone": (),
    "bayes": ("draws", "tune", "chains", "protocol_discrepancy", "sampler", "target_accept", "max_treedepth"),
    "laplace": ("draws", "protocol_discrepancy"),
}


def parse_method(method: str) -> tuple[str, Protocols]:
    """Split a name such as "bayes:ratings" into the method and the protocols that it uses.

    Parameters
    ----------
    method
        A name, "name:protocols", or a short name.

    Returns
    -------
    tuple
        Method and protocols.

    Raises
    ------
    ArgumentError
        If there is no such method.

    Examples
    --------
    >>> parse_method("bayes"), parse_method("ratings")
    (('bayes', 'both'), ('davidson', 'ratings'))
    """
    name, colon, protocols = SHORT.get(method, method).partition(":") if isinstance(method, str) else ("", "", "")
    if not colon:
        protocols = "both"
    for known in get_args(Protocols.__value__):
        if name in METHODS and protocols == known:
            return name, known
    raise ArgumentError(
        f"method {method!r} is not known; allowed are {list(METHODS)}, each also with ':ratings' or ':preferences' "
        f"behind it, and the short names {list(SHORT)}"
    )


def fit_method(
    method: str, study: Study, *, random_seed: RandomSeed, options: Mapping[str, object] | None = None
) -> Fusion:
    """Fuse a study by a method that is named, without a progress bar and, except by sampling, without intervals.

    Parameters
    ----------
    method
        "elo", "davidson", "thurstone", "bayes" or "laplace"; with ":ratings" or ":preferences" behind it one protocol
        alone; "ratings" is short for "davidson:ratings" and "preferences" for "davidson:preferences".
    study
        The study.
    random_seed
        Seed.
    options
        Further arguments of the method's function.

    Returns
    -------
    Fusion
        The fusion.

    Raises
    ------
    ArgumentError
        If there is no such method.

    Examples
    --------
    >>> import ppaint_stats as ps
    >>> study = ps.simulate_study(ps.PPaintDesign(n_categories=1, n_items=12, n_pairs=40), random_seed=1).study
    >>> fit_method("ratings", study, random_seed=1).settings["protocols"]
    'ratings'
    """
    name, protocols = parse_method(method)
    return _call(name, study, {"protocols": protocols, **(options or {}), "random_seed": random_seed})


def refit_like(fusion: Fusion, study: Study, **changes: Any) -> Fusion:
    """Fuse another study by the same method and with the same settings as ``fusion``, without intervals.

    Parameters
    ----------
    fusion
        The fusion whose ways are taken, its seed among them.
    study
        The study to fuse.
    **changes
        Arguments of the method's function that are to differ.

    Returns
    -------
    Fusion
        The fusion of ``study``. Elo plays 50 random orders at most.

    Raises
    ------
    ArgumentError
        If the fusion is by no known method.
    """
    if fusion.method not in _SETTINGS:
        raise ArgumentError(
            f"a fusion by method {fusion.method!r} cannot be fitted again here; these can: {sorted(_SETTINGS)}"
        )
    held = fusion.settings
    names = (*_SETTINGS[fusion.method], "protocols", "target", "interval_prob", "random_seed")
    options = {name: held[name] for name in names if name in held}
    if fusion.method in SAMPLED and held.get("priors") is not None:
        options["priors"] = read_priors(held["priors"])
    options |= changes
    if "n_orders" in options:
        options["n_orders"] = min(int(options["n_orders"]), MAX_REFIT_ORDERS)
    return _call(fusion.method, study, options)


def read_priors(values: Mapping[str, Any]) -> Priors:
    """Priors from the settings of a fusion, in which a file has turned pairs into lists."""
    kinds: dict[Any, Callable[..., Any]] = {LogNormal: LogNormal, Normal: Normal}
    return Priors(**{f.name: kinds[f.type](*values[f.name]) if f.type in kinds else values[f.name]
                     for f in fields(Priors) if f.name in values})  # fmt: skip


def _call(name: str, study: Study, options: dict[str, Any]) -> Fusion:
    if name in SAMPLED:
        from ppaint_stats.fuse.bayes import fuse_bayes

        how = {"method": "laplace"} if name == "laplace" else {}
        return fuse_bayes(study, **{"progressbar": False, **how, **options})
    from ppaint_stats.fuse.davidson import fuse_davidson
    from ppaint_stats.fuse.elo import fuse_elo
    from ppaint_stats.fuse.thurstone import fuse_thurstone

    functions: dict[str, Callable[..., Fusion]] = {
        "davidson": fuse_davidson, "elo": fuse_elo, "thurstone": fuse_thurstone,
    }  # fmt: skip
    return functions[name](study, **{"interval": "none", **options})
