"""scikit-learn's own checks of an estimator.

They are of the classifier without a head. With one, X has a fixed width and y a fixed list of classes,
while each of the checks brings data of its own: `test_estimator.py` has the laws of that.
"""

from sklearn.utils.estimator_checks import parametrize_with_checks

from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier

EXCEPTIONS: dict[str, str] = {}
"""Checks that may fail, and why: none."""


@parametrize_with_checks(
    [LaplaceVLMClassifier(), LaplaceVLMClassifier(class_weight="balanced")],
    expected_failed_checks=lambda estimator: EXCEPTIONS,
)
def test_it_is_an_estimator(estimator, check):
    check(estimator)
