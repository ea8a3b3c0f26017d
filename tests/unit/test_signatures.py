import hmac
from datetime import UTC, datetime

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from payments.gateways.signatures import HEADER_CHARS_MAX, SIGNATURES_MAX, Verdict, judge_signature
from payments.sandbox.webhooks import sign
from tests.notices_kit import mac_of, signature_of

SECRET = "whsec_one"
OTHER = "whsec_two"
BODY = b'{"id": "evt_1", "name": "Ren\xc3\xa9"}'
AT = 1_790_000_000
NOW = datetime.fromtimestamp(AT, UTC)
GOOD = mac_of(BODY, secret=SECRET, at=AT)


def judge(
    header: str, *, body: bytes = BODY, secrets: tuple[str, ...] = (SECRET,), now: datetime = NOW
) -> Verdict:
    return judge_signature(header=header, body=body, secrets=secrets, now=now)


def signed(at: int) -> str:
    return signature_of(BODY, secret=SECRET, at=at)


def test_what_the_sandbox_signs_is_genuine():
    assert judge(sign(BODY, secrets=["whsec_next", SECRET], now=AT)) is Verdict.GENUINE


def test_the_official_sdk_agrees():
    now = int(datetime.now(UTC).timestamp())
    text = signature_of(BODY, secret=SECRET, at=now)

    assert stripe.WebhookSignature.verify_header(BODY.decode(), text, SECRET, tolerance=300)
    assert judge(text, now=datetime.now(UTC)) is Verdict.GENUINE


@pytest.mark.parametrize(
    ("age_s", "verdict"),
    [
        (0, Verdict.GENUINE),
        (300, Verdict.GENUINE),
        (301, Verdict.TOO_OLD),
        (-300, Verdict.GENUINE),
        (-301, Verdict.IN_THE_FUTURE),
        (-365 * 86_400, Verdict.IN_THE_FUTURE),
    ],
)
def test_a_signature_is_good_for_five_minutes_either_way(age_s: int, verdict: Verdict):
    assert judge(signed(AT - age_s)) is verdict


@pytest.mark.parametrize("secrets", [(SECRET, OTHER), (OTHER, SECRET), ("", SECRET)])
def test_any_secret_may_fit(secrets: tuple[str, ...]):
    assert judge(signed(AT), secrets=secrets) is Verdict.GENUINE


def test_any_entry_may_fit():
    assert judge(f"t={AT},v1={'0' * 64},v0=x,v1={GOOD}") is Verdict.GENUINE


@pytest.mark.parametrize("secrets", [(), ("",), ("", "")])
def test_without_a_secret_nothing_is_genuine(secrets: tuple[str, ...]):
    assert judge(signature_of(BODY, secret="", at=AT), secrets=secrets) is Verdict.NOT_SET_UP


@pytest.mark.parametrize("body", [BODY + b" ", BODY[:-1], BODY.replace(b"evt_1", b"evt_2"), b""])
def test_another_body_is_foreign(body: bytes):
    assert judge(signed(AT), body=body) is Verdict.FOREIGN


def test_a_secret_of_another_account_is_foreign():
    assert judge(signed(AT), secrets=(OTHER,)) is Verdict.FOREIGN


HEADERS = {
    "nothing": "",
    "only commas": ",,,,",
    "no time": f"v1={GOOD}",
    "no signature": f"t={AT}",
    "empty signature": f"t={AT},v1=",
    "the old scheme only": f"t={AT},v0={GOOD}",
    "time twice": f"t={AT},t={AT},v1={GOOD}",
    "two times": f"t={AT},v1={GOOD},t={AT - 400}",
    "underscore in the time": f"t=1_000,v1={mac_of(BODY, secret=SECRET, at='1_000')}",
    "Arabic digits": f"t=١٧٩٠٠٠٠٠٠٠,v1={GOOD}",
    "full-width digits": f"t=１７９０００００００,v1={GOOD}",
    "superscript": f"t={AT}²,v1={GOOD}",
    "negative": f"t=-{AT},v1={GOOD}",
    "signed": f"t=+{AT},v1={GOOD}",
    "float": f"t={AT}.0,v1={GOOD}",
    "infinite": f"t=1e309,v1={GOOD}",
    "blank before": f"t= {AT},v1={GOOD}",
    "blank after": f"t={AT} ,v1={GOOD}",
    "blank between": f" t={AT},v1={GOOD}",
    "other letter": f"T={AT},v1={GOOD}",
    "empty time": f"t=,v1={GOOD}",
    "thousands of digits": f"t={'1' * 4000},v1={GOOD}",
    "thirteen digits": f"t=0000{AT}"[:15] + f",v1={GOOD}",
    "10,000 entries": f"t={AT}," + ",".join([f"v1={GOOD}"] * 10_000),
    "a megabyte": "t" * 1_000_000,
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_of_another_form_is_malformed(header: str):
    assert judge(header) is Verdict.MALFORMED


@pytest.mark.parametrize(
    "entry",
    [GOOD.upper(), GOOD[:-1], GOOD + "0", f"{GOOD} ", "é" * 64, "\0" * 64, "\ud800" * 64, f'"{GOOD}"'],
)
def test_an_entry_that_is_nearly_right_is_foreign(entry: str):
    assert judge(f"t={AT},v1={entry}") is Verdict.FOREIGN


def test_so_many_entries_are_looked_at_and_no_more():
    wrong = [f"v1={'0' * 40}"] * (SIGNATURES_MAX - 1)

    assert judge(",".join([f"t={AT}", *wrong, f"v1={GOOD}"])) is Verdict.GENUINE
    assert judge(",".join([f"t={AT}", *wrong, "v1=0", f"v1={GOOD}"])) is Verdict.FOREIGN
    assert len(",".join([f"t={AT}", *wrong, f"v1={GOOD}"])) < HEADER_CHARS_MAX


@given(header=st.text(), body=st.binary(), secrets=st.lists(st.text()))
def test_no_header_body_or_secret_raises_or_is_believed(header: str, body: bytes, secrets: list[str]):
    assert judge(header, body=body, secrets=tuple(secrets)) is not Verdict.GENUINE


@given(
    parts=st.lists(
        st.one_of(
            st.sampled_from([f"t={AT}", f"v1={GOOD}", "v1=", "t=", "=", "v0=1"]),
            st.text(max_size=20),
            st.characters().map("v1={}".format),
        )
    )
)
def test_a_header_is_believed_only_with_its_time_once_and_its_mac(parts: list[str]):
    believed = judge(",".join(parts)) is Verdict.GENUINE

    if believed:
        entries = ",".join(parts).split(",")
        assert entries.count(f"t={AT}") == 1
        assert f"v1={GOOD}" in entries


@given(body=st.binary(), secret=st.text(min_size=1), at=st.integers(0, 10**12 - 1))
def test_what_was_signed_with_the_secret_is_genuine_at_that_time(body: bytes, secret: str, at: int):
    moment = min(at, 253_402_300_000)

    header = f"t={moment},v1=" + mac_of_raw(body, secret=secret, at=moment)

    now = datetime.fromtimestamp(moment, UTC)
    assert judge(header, body=body, secrets=(secret,), now=now) is Verdict.GENUINE


def mac_of_raw(body: bytes, *, secret: str, at: int) -> str:
    return hmac.new(secret.encode(errors="replace"), f"{at}.".encode() + body, "sha256").hexdigest()
