"""Says how many examples the property tests try."""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # The number stands in decorators, which run when a module is imported, before any fixture.
    if config.getoption("--thorough", default=False):
        os.environ["CAM_THOROUGH"] = "1"
