r"""From what judgments tell to what is wanted of them: widths of the scores' intervals, and how well items are ranked.

The posterior of consensus, slopes, thresholds and raters' habits is taken as normal, its precision the prior's plus the
expected information. A score's standard deviation follows by its derivatives; what no judgment informs, the panel's
mean severity and discrimination, is added as the mixture of normals that an unknown spread makes of it.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy.linalg import block_diag, cho_factor, cho_solve
from scipy.special import ndtr

from ppaint_stats.joint.encoding import SQUEEZE
from ppaint_stats.planning.assumptions import Assumptions
from ppaint_stats.planning.contrasts import contrast_basis
from ppaint_stats.planning.information import Habits, RaterInformation, Tasks
from ppaint_stats.planning.ranking import Ranking, expect_ranking
from ppaint_stats.planning.severities import SeverityPosterior, expect_severities
from ppaint_stats.priors import Priors
from ppaint_stats.scale import RatingScale
from ppaint_stats.typing import FloatArray

_STEP = 1e-3
_NEWTON_STEPS = 8


@dataclass(frozen=True)
class Panel:
    """Raters with their judgments: habits, tasks, and what these tell."""

    habits: list[Habits]
    tasks: list[Tasks]
    informed: list[RaterInformation]

    def __len__(self) -> int:
        return len(self.tasks)


@dataclass(frozen=True)
class Outlook:
    """What a design is expected to give: mean widths of intervals (nan without ratings), and the ranking.

    ``covariance`` is that of the consensus' contrasts.
    """

    width: dict[str, float]
    ranking: Ranking
    covariance: FloatArray


@dataclass(frozen=True)
class Consensus:
    """The items' true utilities, shape (item, dimension), and what is known of their contrasts before."""

    theta: FloatArray
    mean: FloatArray
    cov: FloatArray


def look_ahead(
    panel: Panel,
    consensus: Consensus,
    assumed: Assumptions,
    priors: Priors,
    scale: RatingScale,
    *,
    interval_prob: float,
    with_panel: bool,
    slopes: "Derivatives",
    rng: np.random.Generator,
) -> Outlook:
    """Compute what a panel's judgments are expected to give.

    Parameters
    ----------
    panel
        Raters.
    consensus
        The items.
    assumed
        Quantities of the joint model.
    priors
        The fit's priors.
    scale
        Rating scale.
    interval_prob
        Probability of the intervals.
    with_panel
        Whether the panel's own scores are asked for.
    slopes
        Derivatives of the scores.
    rng
        Random numbers, for the ranking.

    Returns
    -------
    Outlook
        Widths and ranking.
    """
    n_items, n_dims = consensus.theta.shape
    size = (n_items - 1) * n_dims
    maps, prior = _lay_out(panel, assumed, priors, size)
    size_all = maps[0].shape[1]
    precision = np.zeros((size_all, size_all))
    precision[size:, size:] = prior
    for rater, to_rater in zip(panel.informed, maps, strict=True):
        precision += to_rater.T @ rater.information @ to_rater
    # The prior of the consensus is taken out of its own inverse, so that a known pilot may stand for it.
    prior_consensus = np.zeros((size, size))
    item_precision = np.linalg.inv(assumed.item_cov + 1e-9 * np.eye(n_dims))
    prior_consensus += np.kron(item_precision, np.eye(n_items - 1))
    precision[:size, :size] += prior_consensus
    cov = cho_solve(cho_factor(precision, lower=True), np.eye(size_all))
    found = cov[:size, :size]
    before = prior_consensus if consensus.cov.size == 0 else np.linalg.inv(consensus.cov)
    ranking = expect_ranking(consensus.theta, consensus.mean, found, before, rng=rng)
    width = dict.fromkeys(("population", "relative", "panel"), np.nan)
    if any(tasks.rates for tasks in panel.tasks):
        width |= _measure_population(panel, slopes, cov, maps, assumed, priors, interval_prob)
        if with_panel:
            width["panel"] = _measure_panel(panel, consensus, cov, maps, assumed, scale, interval_prob)
    return Outlook(width, ranking, found)


def _lay_out(panel: Panel, assumed: Assumptions, priors: Priors, size: int) -> tuple[list[FloatArray], FloatArray]:
    """Maps from all parameters to each rater's, and the prior precision of those beyond the consensus."""
    n_dims, n_cuts = assumed.threshold.shape
    who = {
        "compare": [r for r, tasks in enumerate(panel.tasks) if tasks.compares],
        "rate": [r for r, tasks in enumerate(panel.tasks) if tasks.rates],
    }
    both = bool(who["compare"]) and bool(who["rate"])
    n_e, n_a = max(len(who["compare"]) - 1, 0), max(len(who["rate"]) - 1, 0)
    start_a, start_b = size + n_e, size + n_e + n_a
    start_h = start_b + n_a * n_dims
    start_k = start_h + (n_dims if both else 0)
    end = start_k + (n_dims * n_cuts if who["rate"] else 0)
    bases = {name: contrast_basis(len(rows)) for name, rows in who.items()}
    maps = []
    for r in range(len(panel)):
        to_rater = np.zeros((size + 2 + 2 * n_dims + n_dims * n_cuts, end))
        to_rater[:size, :size] = np.eye(size)
        if r in who["compare"]:
            to_rater[size, size:start_a] = bases["compare"][who["compare"].index(r)]
        if r in who["rate"]:
            own = bases["rate"][who["rate"].index(r)]
            to_rater[size + 1, start_a:start_b] = own
            for d in range(n_dims):
                to_rater[size + 2 + d, start_b + d * n_a : start_b + (d + 1) * n_a] = own
            if both:
                to_rater[size + 2 + n_dims : size + 2 + 2 * n_dims, start_h:start_k] = np.eye(n_dims)
            to_rater[size + 2 + 2 * n_dims :, start_k:] = np.eye(n_dims * n_cuts)
        maps.append(to_rater)
    severity = assumed.severity_sd**2 + assumed.severity_dimension_sd**2 * np.eye(n_dims) + 1e-9 * np.eye(n_dims)
    parts = [
        np.eye(n_e) / max(assumed.sharpness_sd, 1e-3) ** 2,
        np.eye(n_a) / max(assumed.discrimination_sd, 1e-3) ** 2,
        np.kron(np.linalg.inv(severity), np.eye(n_a)),
        np.eye(n_dims if both else 0) / priors.log_slope.sd**2,
        *([_know_thresholds(kappa, assumed, priors) for kappa in assumed.threshold] if who["rate"] else []),
    ]
    return maps, np.asarray(block_diag(*parts))


def _know_thresholds(kappa: FloatArray, assumed: Assumptions, priors: Priors) -> FloatArray:
    """Prior precision of the thresholds, whose mean is normal and whose steps are log-normal."""
    k = len(kappa)
    precision = np.full((k, k), 1 / (k * priors.threshold_centre.sd) ** 2)
    if assumed.noise_mean is None and k > 1:
        step = np.diff(np.eye(k), axis=0) / (priors.threshold_gap_log_sd * np.diff(kappa))[:, None]
        precision += step.T @ step
    return precision


@dataclass(frozen=True)
class Derivatives:
    """Derivatives of the population's scores, shape (item, dimension) each, thresholds' with a last axis."""

    theta: FloatArray
    log_slope: FloatArray
    level: FloatArray
    log_severity: FloatArray
    log_taste: FloatArray
    threshold: FloatArray

    @classmethod
    def of(cls, theta: FloatArray, assumed: Assumptions, scale: RatingScale) -> "Derivatives":
        """Take differences of the scores of items of these utilities."""
        from ppaint_stats.kernels.expected import population_shares

        n_items, n_dims = theta.shape
        nodes, weights = np.polynomial.hermite_e.hermegauss(5)
        factor, spread = (np.exp(sd * nodes) for sd in (assumed.discrimination_sd, assumed.taste_spread_sd))
        grid = np.meshgrid(factor, spread, indexing="ij")
        share = np.outer(weights, weights).ravel() / weights.sum() ** 2
        category, stretch = np.zeros(n_items, dtype=np.int64), scale.span
        noise = 0.0
        if assumed.noise_mean is not None:
            noise, stretch = (assumed.noise_mean * np.exp(assumed.noise_sd**2)) ** 2, stretch / (1 - 2 * SQUEEZE)
        taste = np.diag(assumed.taste_cov)

        def score(
            *, shift: float = 0.0, slope: float = 0.0, level: float = 0.0, severity: float = 0.0, own: float = 0.0,
            cut: int | None = None,
        ) -> FloatArray:  # fmt: skip
            kappa = assumed.threshold.copy()
            if cut is not None:
                kappa[:, cut] += _STEP
            total = (assumed.severity_sd**2 + assumed.severity_dimension_sd**2) * np.exp(2 * severity) + noise
            shares = population_shares(
                theta + shift, np.full((1, n_dims), level), category, assumed.slope * np.exp(slope),
                taste * np.exp(2 * own), total, kappa, grid[0].ravel(), grid[1].ravel(), share,
            )  # fmt: skip
            return np.asarray(stretch * shares)

        base = score()
        single = [
            score(shift=_STEP), score(slope=_STEP), score(level=_STEP), score(severity=_STEP), score(own=_STEP),
        ]  # fmt: skip
        cuts = [score(cut=k) for k in range(assumed.threshold.shape[1])]
        theta_, slope_, level_, severity_, taste_ = ((x - base) / _STEP for x in single)
        return cls(theta_, slope_, level_, severity_, taste_, np.stack([(x - base) / _STEP for x in cuts], axis=2))

    def centre(self) -> "Derivatives":
        """Those of the scores minus their mean over items; theirs by the consensus are not diagonal, see `rows`."""
        parts = (self.log_slope, self.level, self.log_severity, self.log_taste, self.threshold)
        return Derivatives(self.theta, *(x - x.mean(axis=0) for x in parts))


def _measure_population(
    panel: Panel, slopes: Derivatives, cov: FloatArray, maps: list[FloatArray], assumed: Assumptions, priors: Priors,
    interval_prob: float,
) -> dict[str, float]:  # fmt: skip
    raters = [r for r, tasks in enumerate(panel.tasks) if tasks.rates]
    noise = float(np.mean([panel.informed[r].severity_noise for r in raters]))
    posterior = expect_severities(assumed, priors, n_raters=len(raters), noise=noise)
    # Tastes' spread: each contrast of each rater's taste tells of it as far as it is known.
    known = np.sum([rater.taste_known for rater in panel.informed], axis=0) * (1 - 1 / len(panel))
    log_taste = 1 / (1 / priors.taste_sd.log_sd**2 + 2 * known)
    if not any(tasks.has_taste for tasks in panel.tasks):
        log_taste = np.zeros_like(log_taste)
    n_items, n_dims = slopes.theta.shape
    n, n_cuts = n_items - 1, assumed.threshold.shape[1]
    basis = contrast_basis(n_items)
    to_rater = maps[raters[0]]
    size = n * n_dims
    centring = np.eye(n_items) - 1 / n_items
    widths: dict[str, list[float]] = {"population": [], "relative": []}
    for name, part in (("population", slopes), ("relative", slopes.centre())):
        for d in range(n_dims):
            rows = slopes.theta[:, d, None] * basis
            if name == "relative":
                rows = centring @ rows
            at = np.concatenate(
                [np.arange(n) + d * n, [size + 2 + n_dims + d], size + 2 + 2 * n_dims + d * n_cuts + np.arange(n_cuts)]
            )
            jacobian = np.column_stack([rows, part.log_slope[:, d], part.threshold[:, d]]) @ to_rater[at]
            variance = np.einsum("ij,ij->i", jacobian @ cov, jacobian)
            variance += part.log_slope[:, d] ** 2 * assumed.discrimination_sd**2 / len(raters)
            variance += part.log_taste[:, d] ** 2 * log_taste[d]
            mixed = _mix_widths(
                variance, part.level[:, d], part.log_severity[:, d], posterior, len(raters), interval_prob
            )
            widths[name].append(float(mixed.mean()))
    return {name: float(np.mean(values)) for name, values in widths.items()}


def _mix_widths(
    variance: FloatArray, level: FloatArray, log_severity: FloatArray, posterior: SeverityPosterior, n_raters: int,
    prob: float,
) -> FloatArray:  # fmt: skip
    """Widths of equal-tailed intervals of mixtures of normals, one a row, averaged over panels."""
    total = np.zeros(len(variance))
    for weight, spread in zip(posterior.weight, posterior.spread, strict=True):
        log_spread = np.log(spread)
        mean = log_severity[:, None] * (log_spread - weight @ log_spread)
        sd = np.sqrt(variance[:, None] + (level[:, None] * spread) ** 2 / n_raters)
        sd = np.maximum(sd, 1e-12)
        overall = np.sqrt((weight * (sd**2 + mean**2)).sum(axis=1))
        ends = []
        for p in ((1 - prob) / 2, (1 + prob) / 2):
            at = overall * NormalDist().inv_cdf(p)
            for _ in range(_NEWTON_STEPS):
                x = (at[:, None] - mean) / sd
                density = (weight * np.exp(-(x**2) / 2) / sd).sum(axis=1) / np.sqrt(2 * np.pi)
                step = ((weight * ndtr(x)).sum(axis=1) - p) / density
                at = at - np.clip(step, -overall / 2, overall / 2)
            ends.append(at)
        total += ends[1] - ends[0]
    return total / len(posterior.weight)


def _measure_panel(
    panel: Panel, consensus: Consensus, cov: FloatArray, maps: list[FloatArray], assumed: Assumptions,
    scale: RatingScale, interval_prob: float,
) -> float:  # fmt: skip
    """Mean width of the panel's scores, the mean over its raters of what each is expected to say."""
    theta = consensus.theta
    n_items, n_dims = theta.shape
    size, n_cuts = (n_items - 1) * n_dims, assumed.threshold.shape[1]
    spread = np.kron(np.eye(n_dims), contrast_basis(n_items))
    total = np.zeros((n_items * n_dims, cov.shape[0]))
    own = np.zeros(n_items * n_dims)
    raters = [r for r, tasks in enumerate(panel.tasks) if tasks.rates]
    for r in raters:
        habits, rater = panel.habits[r], panel.informed[r]
        if rater.settle is None:
            continue
        by_eta, by_cut = _differentiate_rating(theta, habits, assumed, scale)
        steep = assumed.slope * habits.discrimination
        by_utility = (by_eta * steep).T.ravel()
        jacobian = np.zeros((n_items * n_dims, size + 2 + 2 * n_dims + n_dims * n_cuts))
        jacobian[:, :size] = by_utility[:, None] * spread
        for d in range(n_dims):
            rows = slice(d * n_items, (d + 1) * n_items)
            jacobian[rows, size + 1] = jacobian[rows, size + 2 + n_dims + d] = by_eta[:, d] * steep[d] * theta[:, d]
            jacobian[rows, size + 2 + d] = -by_eta[:, d]
            at = size + 2 + 2 * n_dims + d * n_cuts
            jacobian[rows, at : at + n_cuts] = by_cut[:, d]
        jacobian += by_utility[:, None] * rater.settle[0]
        total += jacobian @ maps[r] / len(raters)
        own += by_utility**2 * np.diag(rater.settle[1]) / len(raters) ** 2
    variance = np.einsum("ij,ij->i", total @ cov, total) + own
    return float(2 * NormalDist().inv_cdf((1 + interval_prob) / 2) * np.sqrt(variance).mean())


def _differentiate_rating(
    utilities: FloatArray, habits: Habits, assumed: Assumptions, scale: RatingScale
) -> tuple[FloatArray, FloatArray]:
    """Derivatives of one rater's expected ratings by the latent rating and by the thresholds."""
    from scipy.special import expit

    eta = assumed.slope * habits.discrimination * utilities - habits.severity
    x = eta[:, :, None] - assumed.threshold
    if assumed.noise_mean is not None:
        x = x / np.sqrt(1 + habits.noise**2 * 3 / np.pi**2)
    each = scale.span / assumed.threshold.shape[1] * expit(x) * (1 - expit(x))
    if assumed.noise_mean is not None:
        each = each / np.sqrt(1 + habits.noise**2 * 3 / np.pi**2)
    return each.sum(axis=2), -each
