"""A gateway in memory, for tests of whoever uses the port. It passes the contract of the real ones."""

from payments.testing.book import ChargeStatus, FakeCharge, FakeDispute, FakeRefund
from payments.testing.gateway import FakeGateway, Trouble
from payments.testing.methods import (
    METHOD_BOLETO,
    METHOD_DECLINED,
    METHOD_OK,
    METHOD_VOUCHER,
    METHOD_WITH_ACTION,
    METHOD_WITH_PENDING_REFUND,
    METHOD_WITHOUT_FUNDS,
)

__all__ = [  # noqa: RUF022 - as the faces of all packages are sorted (tests/architecture/test_faces.py)
    "ChargeStatus",
    "FakeCharge",
    "FakeDispute",
    "FakeGateway",
    "FakeRefund",
    "METHOD_BOLETO",
    "METHOD_DECLINED",
    "METHOD_OK",
    "METHOD_VOUCHER",
    "METHOD_WITHOUT_FUNDS",
    "METHOD_WITH_ACTION",
    "METHOD_WITH_PENDING_REFUND",
    "Trouble",
]
