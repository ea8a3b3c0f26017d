"""Who calls the API in these tests."""

import math

import pytest

from resilience.apikeys import cache
from tests.api.shop import Shop


@pytest.fixture(autouse=True)
def _keys_are_where_the_test_put_them(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let no stall of the machine send a test to the replica, which never sees the test's transaction."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None or "replica" not in marker.kwargs.get("databases", ()):
        monkeypatch.setattr(cache, "STATE_AGE_S_MAX", math.inf)


@pytest.fixture
def shop(db: None) -> Shop:
    """A storefront with the permissions that one has."""
    cache.known_keys.forget_all()
    return Shop()
