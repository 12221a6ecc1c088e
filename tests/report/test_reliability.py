"""The reliability diagram: points where the figures say, intervals against brute force, bins without pairs left out."""

import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from edgewise.report.findings import Findings
from edgewise.report.sections.reliability import reliability_section, wilson
from tests.report.example import example


@pytest.mark.parametrize(("n_yes", "n"), [(0, 7), (3, 10), (50, 100), (9, 9)])
def test_intervals_are_those_of_scipy(n_yes: int, n: int) -> None:
    low, high = wilson(np.array([float(n_yes)]), np.array([float(n)]))
    expected = binomtest(n_yes, n).proportion_ci(method="wilson")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_each_bin_with_pairs_is_a_point_at_what_was_said_and_came_true() -> None:
    plain = example(n_map=10)
    name = plain.winner
    evaluation = plain.models[name].evaluation
    assert evaluation is not None
    bins = np.array([[10.0, 0.0, 20.0], [2.5, 0.0, 15.0], [5.0, 0.0, 20.0]])
    judged = replace(plain.models[name], evaluation=replace(evaluation, reliability=bins))
    section = reliability_section(Findings(replace(plain, models=plain.models | {name: judged})))
    assert section is not None
    assert section.body.count("<svg") == 1  # the other models gave no probabilities
    assert "said 25%, came true 50%" in section.body
    assert "said 75%, came true 100%" in section.body
    assert "预测 25%，实际 50%" in section.body
    points = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', section.body)
    (left, middle), (right, top) = ((float(x), float(y)) for x, y in points)
    assert left < right
    assert top < middle  # pixels count downwards


def test_without_probabilities_there_is_no_section() -> None:
    assert reliability_section(Findings(example(n_map=10))) is None
