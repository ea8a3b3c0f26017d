"""A browser, and a stack of its own that it looks at."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.living_stack import LivingStack, living_stack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# What a picture is kept of: (width, height, colour scheme).
LOOKS = {
    "light": (1440, 900, "light"),
    "dark": (1440, 900, "dark"),
    "phone": (390, 844, "light"),
}
READY_WITHIN_MS = 60_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if CHROMIUM is None:
        for item in items:
            if "/browser/" in str(item.path):
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed (apt install chromium)"))


@dataclass
class Visitor:
    """Somebody at a browser. `complaints`: what its console said that is no information."""

    stack: LivingStack
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Open a page of the stack."""
        page = self.context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.stack.told["web"]["url"] + path)
        return page

    def sign_in(self, path: str) -> Page:
        """Open a page as the operator."""
        page = self.open(path)
        told = self.stack.told["admin"]
        page.fill("input[name=username]", told["username"])
        page.fill("input[name=password]", told["password"])
        page.click("button[type=submit]")
        return page

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


def serious_findings(page: Page) -> list[str]:
    """Return what axe-core finds that keeps somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes'][:5]]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.fixture(scope="module")
def stack() -> Iterator[LivingStack]:
    with living_stack() as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser: Browser, stack: LivingStack) -> Iterator[object]:
    """Return a function that lets a visitor come with one of `LOOKS`."""
    contexts = []

    def come(look: str = "light") -> Visitor:
        width, height, scheme = LOOKS[look]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        contexts.append(context)
        return Visitor(stack, context)

    yield come
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def pictures(pytestconfig: pytest.Config) -> Path:
    """Return the folder in which pictures are kept."""
    folder = pytestconfig.rootpath / ".holdfast" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
