"""All that docs/states holds: each saga and each edge table, drawn from the code that runs."""

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from importlib import import_module
from typing import Any

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from resilience.breaker import states as breaker_states
from resilience.saga import states as saga_states
from resilience.saga.amazon_states import amazon_states
from resilience.saga.diagram import draw_edges, draw_saga
from resilience.saga.registry import definitions

Edges = Mapping[Any, frozenset[Any]]

_DRAWN = "Drawn by `manage.py saga_diagram --write`; a test compares it with the code."
_SAGA_PAGE = """# Saga {name}, version {version}

{drawn}
It lasts at most {hours:g} h; past that, a step up to the pivot is compensated instead of tried again.
Every state also waits and tries again, with full jitter.
A doubt is asked after without end, and is neither undone nor parked.
After the pivot there is only forward: what does not succeed in the end is parked for an operator.

```mermaid
{diagram}```
"""
_EDGES_PAGE = """# States of {article} {name}

{drawn}

```mermaid
{diagram}```
"""


def state_documents() -> dict[str, str]:
    """Return the text of each file, by its name in docs/states."""
    return dict([*_saga_documents(), *_edge_documents()])


def _saga_documents() -> Iterator[tuple[str, str]]:
    for definition in definitions():
        name = f"{definition.name}.v{definition.version}"
        yield (
            f"{name}.md",
            _SAGA_PAGE.format(
                name=definition.name,
                version=definition.version,
                drawn=_DRAWN,
                hours=definition.lasts_at_most / timedelta(hours=1),
                diagram=draw_saga(definition),
            ),
        )
        yield f"{name}.asl.json", json.dumps(amazon_states(definition), indent=2) + "\n"


def _edge_documents() -> Iterator[tuple[str, str]]:
    for edges in _edge_tables():
        first = next(iter(edges))  # a table begins where its rows do
        name = type(first).__name__.removesuffix("Status").removesuffix("State").lower()
        yield (
            f"{name}.md",
            _EDGES_PAGE.format(
                article="an" if name[0] in "aeiou" else "a",
                name=name,
                drawn=_DRAWN,
                diagram=draw_edges(edges, first=first),
            ),
        )


def _edge_tables() -> Iterator[Edges]:
    """Yield the `EDGES` of each room that has a `states.py`, the saga's own and the breaker's."""
    yield saga_states.EDGES
    yield breaker_states.EDGES
    for app in apps.get_app_configs():
        if app.module and module_has_submodule(app.module, "states"):
            edges = getattr(import_module(f"{app.name}.states"), "EDGES", None)
            if edges:
                yield edges
