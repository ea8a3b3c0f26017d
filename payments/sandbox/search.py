"""Stripe's search query language, the part that finds PaymentIntents: exact matches joined by AND."""

import re
from typing import Any

from .errors import ApiError, invalid

# Stripe takes up to ten conditions.
CLAUSES_MAX = 10

_STRING = r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\""""
_CLAUSE = re.compile(
    rf"\s*(?:metadata\[(?:{_STRING})\]|([a-z_]+))\s*(:|>=|<=|>|<)\s*(?:{_STRING}|(\d+))\s*", re.DOTALL
)
_AND = re.compile(r"AND(?=\s)", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

_TEXTS = {"status": "status", "currency": "currency", "customer": "customer"}
_NUMBERS = {"amount": "amount", "created": "created"}


def parse_query(query: str) -> tuple[list[str], list[Any]]:
    """Return SQL conditions on `intents` and their arguments. Raises ApiError for anything else."""
    where: list[str] = []
    arguments: list[Any] = []
    place = 0
    while True:
        clause = _CLAUSE.match(query, place)
        if clause is None or len(where) >= CLAUSES_MAX:
            raise _unreadable(query)
        condition, values = _condition(query, clause)
        where.append(condition)
        arguments += values
        place = clause.end()
        if place == len(query):
            return where, arguments
        joint = _AND.match(query, place)
        if joint is None:
            raise _unreadable(query)
        place = joint.end()


def _condition(query: str, clause: re.Match[str]) -> tuple[str, list[Any]]:
    key = _text(clause[1], clause[2])
    field, sign = clause[3], clause[4]
    value, number = _text(clause[5], clause[6]), clause[7]
    if key is not None and sign == ":" and value is not None:
        condition = "seq IN (SELECT intent_seq FROM intent_metadata WHERE key = ? AND value = ?)"
        return condition, [key, value]
    if field in _TEXTS and sign == ":" and value is not None:
        return f"{_TEXTS[field]} = ?", [value.lower() if field == "currency" else value]
    if field in _NUMBERS and number is not None:
        return f"{_NUMBERS[field]} {'=' if sign == ':' else sign} ?", [int(number)]
    raise _unreadable(query)


def _text(single: str | None, double: str | None) -> str | None:
    quoted = single if single is not None else double
    return None if quoted is None else _ESCAPED.sub(r"\1", quoted)


def _unreadable(query: str) -> ApiError:
    return invalid(
        f"We were unable to parse your search query: {query[:200]}. This sandbox understands"
        " metadata['key']:'value', status, currency, customer, amount and created, joined by AND.",
        param="query",
    )
