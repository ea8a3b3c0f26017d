"""A gateway of each test's own: its book holds what the test did, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.stack.servers import Addresses
from payments.gateways import registry
from tests.audit_kit import World, sound_world
from tests.sandbox.conftest import SECRET_KEY, Gateway


@pytest.fixture
def bank(tmp_path: Path, settings: object) -> Iterator[Gateway]:
    """A sandbox that is the only configured account."""
    gateway = Gateway(tmp_path)
    settings.GATEWAYS = [{"name": "sandbox-1", "url": gateway.url, "secret_key": SECRET_KEY}]
    registry.reset()
    yield gateway
    registry.reset()
    if gateway.process.poll() is None:
        gateway.kill()


@pytest.fixture
def world(transactional_db: None, bank: Gateway, pg: Addresses) -> World:
    return sound_world(bank, pg.superuser)
