"""Who calls the API in these tests."""

import pytest

from resilience.apikeys.cache import known_keys
from tests.api.shop import Shop


@pytest.fixture
def shop(db: None) -> Shop:
    """A storefront with the permissions that one has."""
    known_keys.forget_all()
    return Shop()
