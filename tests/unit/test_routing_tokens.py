import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.routing.tokens import NEVER_REPLAYED, CausalityToken, MalformedTokenError, parse_token

_TOKENS = st.builds(CausalityToken, timeline=st.integers(1, 2**32 - 1), position=st.integers(0, 2**64 - 1))


def test_a_token_is_written_as_timeline_and_log_position():
    assert str(CausalityToken(timeline=1, position=0x3A4B5C8)) == "1-0/3A4B5C8"
    assert str(CausalityToken(timeline=7, position=0x2_0000_001F)) == "7-2/1F"


@given(_TOKENS)
def test_every_token_is_read_back_as_it_was_written(token: CausalityToken):
    assert parse_token(str(token)) == token


@given(st.text())
def test_any_text_is_either_the_canonical_spelling_of_a_token_or_malformed(text: str):
    try:
        token = parse_token(text)
    except MalformedTokenError:
        return
    assert str(token) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "garbage",
        "1-0/3A4B5C8 ",
        "1-0/3A4B5C8\n",
        "1-0/3a4b5c8",
        "01-0/1",
        "0-0/1",
        "-1-0/1",
        "4294967296-0/1",
        "1-0/100000000",
        "1-100000000/0",
        "1-0/01",
        "1-0/",
        "1-/0",
        "1-0x0/1",
        "١-0/1",
        "1-0/1, 1-0/2",
        "9" * 100_000,
    ],
)
def test_another_spelling_is_malformed(text: str):
    with pytest.raises(MalformedTokenError):
        parse_token(text)


def test_the_token_that_is_never_replayed_survives_the_header():
    assert parse_token(str(NEVER_REPLAYED)) == NEVER_REPLAYED
