"""Each contract of .importlinter breaks when its rule is broken: a rule that cannot fail protects nothing.

One copy of the tree gets all the bad imports, one run reports them, and each test looks for its own
import in its own contract's part of the report, so that no plant can stand in for another.
"""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("config", "analytics", "orders", "payments", "resilience")

# contract, the module that gets the import, what it imports.
PLANTS = [
    ("contexts", "payments.steps.exchange", "orders.errors"),
    ("contexts", "resilience.saga.runner", "payments.money"),
    ("contexts", "orders.selectors", "config.settings"),
    ("face-of-payments", "orders.steps.release_stock", "payments.store"),
    ("face-of-payments", "orders.steps.confirm_orders", "payments.steps.interpret"),
    ("face-of-payments", "analytics.apps", "payments.public"),
    ("face-of-orders", "analytics.apps", "orders.models"),
    ("nobody-needs-analytics", "config.bootstrap", "analytics.apps"),
    ("inside-a-room", "orders.models", "orders.selectors"),
    ("inside-a-room", "payments.store", "payments.steps.exchange"),
    ("inside-a-room", "orders.errors", "orders.events"),
    ("sandbox-knows-nothing", "payments.sandbox.book", "payments.money"),
    ("sandbox-knows-nothing", "payments.sandbox.desk", "resilience.ids"),
    ("sandbox-is-not-imported", "payments.gateways.stripe_answers", "payments.sandbox.vocabulary"),
    ("pure-cores", "payments.money", "django"),
    ("pure-cores", "resilience.saga.decide", "resilience.saga.store"),
    ("pure-cores", "resilience.lab.backoff", "django"),
    ("interpreting-is-not-acting", "payments.steps.interpret", "payments.gateways.registry"),
    ("celery-is-an-alarm-clock", "orders.services.place_order", "celery"),
    ("http-goes-through-gateways", "orders.services.cancel_order", "httpx"),
    ("flags-are-declared", "orders.services.place_order", "waffle"),
    ("plotting-is-for-the-command", "resilience.lab.findings", "matplotlib"),
    ("no-cycles", "config.problems", "config.error_views"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    tree = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / ".importlinter", tree)
    for room in ROOMS:
        shutil.copytree(ROOT / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    for _contract, importer, imported in PLANTS:
        _plant(tree / f"{importer.replace('.', '/')}.py", imported)
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 1, run.stderr
    return run.stdout


@pytest.mark.parametrize(("contract", "importer", "imported"), PLANTS)
def test_a_bad_import_breaks_its_contract(report: str, contract: str, importer: str, imported: str):
    part = _part_of(report, _names()[contract])

    # Of a cycle, the report names the room and one of its imports.
    seen = "allowed in config" if contract == "no-cycles" else f"{importer} -> {imported} (l"
    assert seen in part, part


def test_every_contract_has_a_plant():
    assert {contract for contract, _, _ in PLANTS} == _names().keys()


def test_the_tree_as_it_is_keeps_every_contract():
    run = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert run.returncode == 0, run.stdout


def _plant(module: Path, imported: str) -> None:
    # In a function's body: the place where a bad import hides.
    with module.open("a") as source:
        source.write(f"\n\ndef _planted():\n    import {imported}\n")


def _names() -> dict[str, str]:
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    return {
        section.rpartition(":")[2]: contracts[section]["name"]
        for section in contracts.sections()
        if section.startswith("importlinter:contract:")
    }


def _part_of(report: str, name: str) -> str:
    """Return the part of `report` that tells how the contract called `name` is broken."""
    broken = report.partition("Broken contracts")[2]
    headline = re.escape(name) + r"\n-+\n"
    found = re.search(headline + r"(.*?)(?=\n[^\n]+\n-{3,}\n|\Z)", broken, re.DOTALL)
    return found[1] if found else ""
