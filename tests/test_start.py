"""The starting point of short runs."""

import numpy as np
import pytest
from test_model import PRIORS, make_case

import ppaint_stats as ps
from ppaint_stats.joint.coordinates import find_coordinates
from ppaint_stats.joint.density import prepare_data
from ppaint_stats.joint.encoding import encode_study
from ppaint_stats.joint.parameters import lay_out
from ppaint_stats.joint.start import HELD, find_start
from ppaint_stats.kernels.joint.density import joint_logp


@pytest.mark.parametrize("name", ["one category", "partial", "anonymous counts", "ratings", "continuous"])
def test_start_is_where_all_but_the_scales_pull_nowhere(name):
    case = make_case(name)
    data = prepare_data(case.encoding, case.layout, PRIORS)

    def density(x):
        return joint_logp(x, data)

    middle, start = case.layout.middle, find_start(density, case.layout)
    before, after = case.layout.unpack(middle), case.layout.unpack(start)
    pull, rest = (case.layout.unpack(density(x)[1]) for x in (middle, start))
    held = {key for key in before if key in HELD or key.endswith("_sd")}
    for key in held:
        np.testing.assert_array_equal(after[key], before[key])
    most = max(np.abs(pull[key]).max() for key in pull.keys() - held)
    assert most > 1
    assert max(np.abs(rest[key]).max() for key in rest.keys() - held) < 0.02 * most
    np.testing.assert_array_equal(find_start(density, case.layout), start)


def test_scales_stay_in_the_coordinates_of_studies_without_tastes():
    design = ps.PPaintDesign(n_categories=1, n_items=40, n_raters=12, dimensions=("a", "b"), n_pairs=60)
    study = ps.simulate_study(design, random_seed=3).study
    few = study.preferences.sample(frac=0.35, random_state=1).sort_index()
    encoding = encode_study(ps.Study(ratings=study.ratings, preferences=few, scale=study.scale))
    layout = lay_out(encoding, PRIORS, discrepancy=False)
    data = prepare_data(encoding, layout, PRIORS)
    coordinates = find_coordinates(data, layout)
    assert coordinates.changed

    def density(sampled):
        x = coordinates.to_model(sampled)
        return coordinates.pull_back(sampled, x, *joint_logp(x, data))

    start = coordinates.to_model(find_start(density, layout, free_slope=False))
    assert np.abs(layout.unpack(start)["item_cov"]).max() < 1
