"""Text of our own parts, as a client may read it.

The danger: an error's words were written for whoever runs the platform. They hold addresses inside our
network, at worst a key, and a client would print them for a buyer.
"""

import re

from resilience.rest.card_numbers import holds_card_number

# Enough to tell what happened; a trace or a page of HTML is cut.
LENGTH_MAX = 200
WITHHELD = "withheld"
_PRIVATE = (
    (re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE), "<address>"),
    (re.compile(r"\b[^\s@]+@[^\s@]+"), "<e-mail>"),
    (re.compile(r"\b(?:sk|rk|pk|whsec|hf)_\w+"), "<secret>"),
    (re.compile(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]+)?"), "<address>"),
    (re.compile(r"\blocalhost(?::[0-9]+)?"), "<address>"),
    (re.compile(r"(?<!\w)(?:/[\w.-]+){2,}"), "<path>"),
)
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def client_text(text: str) -> str:
    """Return `text` in one short line, without addresses, paths, keys and e-mail addresses.

    All of it is withheld where it holds something like a card number.
    """
    if holds_card_number(text):
        return WITHHELD
    for pattern, instead in _PRIVATE:
        text = pattern.sub(instead, text)
    line = _UNPRINTABLE.sub(" ", text).strip()
    return line if len(line) <= LENGTH_MAX else f"{line[: LENGTH_MAX - 1]}…"
