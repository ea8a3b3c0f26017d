"""Where webhooks may go: public names only, whatever spelling a private address is given."""

import pytest

from resilience.webhooks.targets import TargetRefusedError, addresses_of, is_public, parse_target

OWN = ("shop.example.com",)


def parse(url: str, *, trusted: tuple[str, ...] = ()) -> object:
    return parse_target(url, trusted=trusted, own=OWN)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://hooks.example.com:8443/",
        "https://hooks.example.com:22/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "unix:/run/socket",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://①②⑦.0.0.1/",
        "https://hooks.example.com./",
        "https://good@127.0.0.1/",
        "https://user:secret@hooks.example.com/",
        "https://127.0.0.1#@hooks.example.com/",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com/#fragment",
        "https://hooks.example.com/\r\nX-Evil: 1",
        "https://hooks.example.com/a b",
        "https://bücher.example/",
        "https://intranet/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://hidden.onion/",
        "https://shop.example.com/",
        "https://-bad.example.com/",
        "https://",
        "nonsense",
        "https://hooks.example.com/" + "a" * 3000,
    ],
)
def test_what_is_not_a_plain_public_https_address_is_refused(url: str) -> None:
    with pytest.raises(TargetRefusedError):
        parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com",
        "https://hooks.example.com:443/a/b?c=d&e=%20f",
        "https://xn--bcher-kva.example/",
        "HTTPS://Hooks.Example.Com/",
    ],
)
def test_a_public_name_is_taken(url: str) -> None:
    assert parse(url)


def test_a_trusted_host_may_be_inside_and_plain() -> None:
    target = parse_target("http://127.0.0.1:8080/hooks", trusted=["127.0.0.1"], own=OWN)

    assert (target.scheme, target.port, target.is_trusted) == ("http", 8080, True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1",
        "not an address",
    ],
)  # fmt: skip
def test_no_address_inside_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_public_addresses_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "answers", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "::1"], ["2606:4700::1111", "fe80::1"]]
)
def test_one_private_address_among_public_ones_is_enough_to_refuse(answers: list[str]) -> None:
    target = parse_target("https://rebinding.example.com/", trusted=(), own=())

    with pytest.raises(TargetRefusedError):
        addresses_of(target, resolve=lambda _host, _port: answers)


def test_a_name_without_an_address_is_no_target_now() -> None:
    target = parse_target("https://nobody.example.com/", trusted=(), own=())

    with pytest.raises(OSError, match="no address"):
        addresses_of(target, resolve=lambda _host, _port: [])
