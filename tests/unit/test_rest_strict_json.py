"""Bodies have one meaning, or are refused with the place of the fault."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.rest.errors import BodyTooLarge, CardNumberRefused, InvalidJSON
from resilience.rest.parsers import read_bounded
from resilience.rest.strict_json import DEPTH_MAX, read_object


@pytest.mark.parametrize(
    ("raw", "field", "code"),
    [
        (b"", "", "syntax"),
        (b"{", "", "syntax"),
        (b'{"a":01}', "", "syntax"),
        (b'{"a":+1}', "", "syntax"),
        (b'{"a":1_000}', "", "syntax"),
        (b'{"a":.5}', "", "syntax"),
        (b'{"a":1,}', "", "syntax"),
        (b'{"a":1}{"b":2}', "", "syntax"),
        (b"{'a':1}", "", "syntax"),
        (b'{"a":"\x00"}', "", "syntax"),
        ('{"a":١٢}'.encode(), "", "syntax"),
        (b"\xef\xbb\xbf{}", "", "syntax"),
        (b"\xff", "", "not_utf8"),
        ('{"a":1}'.encode("utf-16"), "", "not_utf8"),
        (b'{"a":"\xed\xa0\x80"}', "", "not_utf8"),
        (b"[]", "", "not_an_object"),
        (b'"text"', "", "not_an_object"),
        (b"null", "", "not_an_object"),
        (b"17", "", "not_an_object"),
        (b'{"a":1,"a":1}', "", "duplicate_key"),
        (b'{"x":[{},{"a":1,"\\u0061":2}]}', "/x/1", "duplicate_key"),
        (b'{"a":NaN}', "/a", "not_finite"),
        (b'{"a":[Infinity]}', "/a/0", "not_finite"),
        (b'{"a":-Infinity}', "/a", "not_finite"),
        (b'{"a":1e400}', "/a", "not_finite"),
        (b'{"a":9223372036854775808}', "/a", "number_out_of_range"),
        (b'{"a":-9223372036854775809}', "/a", "number_out_of_range"),
        (b'{"a":{"b":%s}}' % (b"9" * 30), "/a/b", "number_out_of_range"),
        (b'{"a":%s}' % (b"9" * 100_000), "/a", "number_out_of_range"),
        (b'{"a":"x\\u0000"}', "/a", "forbidden_character"),
        (b'{"a":{"\\u0000":1}}', "/a", "forbidden_character"),
        (b'{"a":["\\ud800"]}', "/a/0", "forbidden_character"),
        (b'{"a":"\\udc00\\ud800"}', "/a", "forbidden_character"),
        (b'{"a~/b":{"c\\n":NaN}}', "/a~0~1b/c\\n", "not_finite"),
        (b"[" * 100_000, "", "too_deep"),
        (b'{"a":' * 100_000, "", "too_deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "", "too_deep"),
    ],
)
def test_a_body_without_one_meaning_is_refused_with_its_place(raw: bytes, field: str, code: str) -> None:
    with pytest.raises(InvalidJSON) as refused:
        read_object(raw)

    assert [(error.field, error.code) for error in refused.value.errors] == [(field, code)]


def test_the_deepest_body_allowed_is_read_and_one_level_more_is_not() -> None:
    deepest = b'{"a":' * DEPTH_MAX + b"1" + b"}" * DEPTH_MAX

    read_object(deepest)

    with pytest.raises(InvalidJSON, match="deeper than 32"):
        read_object(b'{"a":' + deepest + b"}")


def test_the_bounds_of_int64_are_read() -> None:
    assert read_object(b'{"a":9223372036854775807,"b":-9223372036854775808}') == {
        "a": 2**63 - 1,
        "b": -(2**63),
    }


def test_a_whole_surrogate_pair_is_read() -> None:
    assert read_object(b'{"a":"\\ud83d\\ude00"}') == {"a": "😀"}


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"note":"4242424242424242"}', "/note"),
        (b'{"metadata":{"a":["card 4242-4242-4242-4242 exp 12/30"]}}', "/metadata/a/0"),
        (b'{"note":"\\u0034242424242424242"}', "/note"),
        (b'{"metadata":{"card":4242424242424242}}', "/metadata/card"),
        (b'{"metadata":{"4242424242424242":1}}', "/metadata"),
    ],
)
def test_a_card_number_anywhere_is_refused_and_never_repeated(raw: bytes, field: str) -> None:
    with pytest.raises(CardNumberRefused) as refused:
        read_object(raw)

    assert [error.field for error in refused.value.errors] == [field]
    assert "4242" not in f"{refused.value} {refused.value.errors}"


def test_a_body_above_the_limit_is_not_read_to_its_end() -> None:
    stream = io.BytesIO(b"x" * 100)

    with pytest.raises(BodyTooLarge):
        read_bounded(stream, bytes_max=10)

    assert stream.tell() == 11
    assert read_bounded(io.BytesIO(b"x" * 10), bytes_max=10) == b"x" * 10


_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(_TEXT, _VALUES, max_size=4))
def test_every_ordinary_object_is_read_as_it_was_written(document: dict[str, object]) -> None:
    for ascii_only in (True, False):
        assert _read(json.dumps(document, ensure_ascii=ascii_only).encode()) in (document, "card number")


@given(st.binary(max_size=64))
def test_no_bytes_whatever_raise_anything_but_a_refusal(raw: bytes) -> None:
    assert isinstance(_read(raw), dict | str)


def _read(raw: bytes) -> object:
    try:
        return read_object(raw)
    except CardNumberRefused:
        return "card number"
    except InvalidJSON:
        return "refused"
