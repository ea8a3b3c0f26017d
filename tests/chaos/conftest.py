"""One stack for all storms of a session; each test leaves it whole."""

from collections.abc import Iterator

import pytest

from tests.living_stack import LivingStack, living_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[LivingStack]:
    with living_stack() as running:
        yield running
