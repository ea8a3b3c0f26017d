"""One stack for all storms of a session; each test leaves it whole."""

from collections.abc import Iterator

import pytest

from tests.chaos.living_stack import LivingStack, living_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivingStack]:
    folder = tmp_path_factory.mktemp("stack")
    # PostgreSQL runs as somebody else when we are root, and must get there.
    for above in (folder, *folder.parents[:2]):
        above.chmod(0o755)
    with living_stack(folder) as running:
        yield running
