"""Which definitions this process knows, by name and version."""

from resilience.saga.definition import SagaDefinition

_definitions: dict[tuple[str, int], SagaDefinition] = {}


class UnknownDefinitionError(LookupError):
    """A saga was started on a definition that this process does not know: it is parked, not guessed."""


def register(definition: SagaDefinition) -> SagaDefinition:
    """Make `definition` known; every version with running sagas must stay registered.

    Raises ValueError when its name and version are taken by another.
    """
    known = _definitions.setdefault((definition.name, definition.version), definition)
    if known is not definition:
        raise ValueError(f"saga {definition.name!r} version {definition.version} is registered twice")
    return definition


def definition_of(name: str, version: int) -> SagaDefinition:
    """Return the definition; raises UnknownDefinitionError."""
    try:
        return _definitions[name, version]
    except KeyError:
        raise UnknownDefinitionError(
            f"saga {name!r} version {version} is not known to this process"
        ) from None


def definitions() -> list[SagaDefinition]:
    """Return all known definitions, sorted by name and version."""
    return [_definitions[key] for key in sorted(_definitions)]
