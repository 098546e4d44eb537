"""The starting point of short runs."""

import numpy as np
import pytest
from test_model import PRIORS, make_case

from ppaint_stats.joint.density import prepare_data
from ppaint_stats.joint.start import HELD, find_start
from ppaint_stats.kernels.joint.density import joint_logp


@pytest.mark.parametrize("name", ["one category", "partial", "anonymous counts", "ratings"])
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
