"""The front page: the book for people. One page without anything from outside; every value is escaped."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from .overview import Overview, Row

RELOAD_S = 5

_STYLE = Path(__file__).with_name("overview.css").read_text()
# Not while somebody types, and not in a tab that nobody sees.
_SCRIPT = f"""setInterval(() => {{
  if (!document.hidden && document.activeElement.tagName !== "INPUT") location.reload();
}}, {RELOAD_S * 1000});"""


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src {_source(_STYLE)};"
    f" script-src {_source(_SCRIPT)}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}

# How many digits of a currency's amounts are behind the point, where it is not two (ISO 4217; at Stripe
# ISK and UGX have two).
_DIGITS = {
    **dict.fromkeys(["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv"], 0),
    **dict.fromkeys(["xaf", "xof", "xpf"], 0),
    **dict.fromkeys(["bhd", "jod", "kwd", "omr", "tnd"], 3),
}
_COLOURS = {
    "succeeded": "good",
    "requires_capture": "info",
    "canceled": "off",
    "failed": "bad",
}
_TOTALS = ("captured", "refunded", "authorized")
_COUNTS = ("payments", "captures", "declined")


def overview_page(overview: Overview, *, faults: list[Row], settings: dict[str, Any], now: float) -> str:
    """Return the page as HTML."""
    order_id = overview.order_id
    about = f", of order {escape(order_id)}" if order_id is not None else ""
    url = settings["webhook_url"]
    told = f"told to {escape(url)}" if url else "not told to anybody"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox gateway{about}</title>
<style>{_STYLE}</style>
<noscript><meta http-equiv="refresh" content="{RELOAD_S}"></noscript>
</head>
<body>
<header>
<h1><a href="/">Sandbox gateway</a></h1>
<form action="/"><input name="order_id" value="{escape(order_id or "")}" placeholder="order id"
 aria-label="order id" autocomplete="off"><button>Show</button></form>
</header>
{_heading("Faults", "set now")}
{_faults(faults)}
{_heading("Totals", f"per currency{about}")}
{_cards(overview.totals)}
{_heading("Payments", f"newest first{about}")}
{_table("Status|Amount|Order|Payment|Charges and refunds|Created", map(_payment, overview.payments))}
{_heading("Requests", f"newest first{about}")}
{_table("Received|Operation|Status|Fault|Order|Idempotency key", map(_request, overview.requests))}
{_heading("Webhooks", f"{told}, newest first{about}")}
{_table("Attempted|Event|Status|Fault|Id", map(_delivery, overview.deliveries))}
<footer class="soft">As of {_time(now)} UTC, loaded again every {RELOAD_S} s.
For programs: <a href="{_link("/_book/summary", order_id)}">summary</a>,
<a href="{_link("/_book/charges", order_id)}">charges</a>,
<a href="{_link("/_book/requests", order_id)}">requests</a>,
<a href="/_webhooks/deliveries">deliveries</a>, <a href="/_faults">faults</a>.</footer>
<script>{_SCRIPT}</script>
</body>
</html>
"""


def money(amount: int, currency: str) -> str:
    """Return an amount of minor units as people write it: `1299, "eur"` becomes `12.99 EUR`."""
    digits = _DIGITS.get(currency, 2)
    whole, part = divmod(amount, 10**digits)
    return f"{whole:,}{f'.{part:0{digits}}' if digits else ''} {currency.upper()}"


def _faults(faults: list[Row]) -> str:
    if not faults:
        return '<p class="empty">None: the gateway is healthy.</p>'
    shown = []
    for fault in faults:
        told = [f"on {fault['operation'] or 'everything'}"]
        told += [f"{fault['probability']:.0%}"] if fault["probability"] < 1 else []
        told += [f"{fault['delay_ms']} ms"] if fault["delay_ms"] else []
        told += [f"for {fault['for_s']:g} s"] if fault["for_s"] else []
        told += [f"{fault['times']} left"] if fault["times"] is not None else []
        told += [f"struck {fault['struck']}"]
        note = f'<span class="soft">{escape(", ".join(told))}</span>'
        shown.append(f"<li>{_mark(fault['fault'], 'bad')} {note}</li>")
    return f'<ul class="faults">{"".join(shown)}</ul>'


def _cards(totals: list[Row]) -> str:
    if not totals:
        return '<p class="empty">Nothing yet.</p>'
    cards = []
    for total in totals:
        currency = total["currency"]
        lines = [(name, money(total[name], currency)) for name in _TOTALS]
        lines += [(name, f"{total[name]:,}") for name in _COUNTS]
        text = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in lines)
        cards.append(f'<section class="card"><h3>{escape(currency.upper())}</h3><dl>{text}</dl></section>')
    return f'<div class="cards">{"".join(cards)}</div>'


def _payment(payment: Row) -> str:
    parts = [_charge(charge) for charge in payment["charges"]] + [_refund(one) for one in payment["refunds"]]
    return (
        f"<td>{_mark(payment['status'], _COLOURS.get(payment['status'], 'wait'))}</td>"
        f'<td class="sum">{escape(money(payment["amount"], payment["currency"]))}</td>'
        f"<td>{_order(payment['order_id'])}</td>"
        f"<td class=id><code>{escape(payment['id'])}</code>"
        f"<br><span class=part>{escape(payment['payment_method'] or '')}</span></td>"
        f'<td class="parts">{"".join(parts)}</td>'
        f'<td class="time">{_time(payment["created"])}</td>'
    )


def _charge(charge: Row) -> str:
    currency = charge["currency"]
    if charge["status"] == "failed":
        became = f"refused: {charge['decline_code'] or 'no code'}"
    elif charge["released_at"] is not None:
        became = "let go"
    elif charge["amount_captured"]:
        became = f"captured {money(charge['amount_captured'], currency)}"
    else:
        became = f"holds {money(charge['amount'], currency)}"
    return f"<div class=part>charge <code>{escape(charge['id'])}</code> {escape(became)}</div>"


def _refund(refund: Row) -> str:
    told = f"{money(refund['amount'], refund['currency'])} {refund['status']}"
    return f"<div class=part>refund <code>{escape(refund['id'])}</code> {escape(told)}</div>"


def _request(request: Row) -> str:
    if request["status"] is None:
        status = _mark("no answer", "bad")
    else:
        status = _mark(request["status"], "good" if request["status"] < 400 else "wait")
    extra = ' <span class="mark">replayed</span>' if request["replayed"] else ""
    lost = request["status"] is not None and request["replied_at"] is None
    extra += f" {_mark('did not leave', 'bad')}" if lost else ""
    return (
        f'<td class="time">{_time(request["received_at"])}</td>'
        f"<td>{escape(request['operation'])}</td>"
        f"<td>{status}{extra}</td>"
        f"<td>{_mark(request['fault'], 'bad') if request['fault'] else ''}</td>"
        f"<td>{_order(request['order_id'])}</td>"
        f'<td class="key"><code>{escape(request["idempotency_key"] or "")}</code></td>'
    )


def _delivery(delivery: Row) -> str:
    status, settled = delivery["status"], delivery["settled"]
    if status is not None:
        shown = _mark(status, "good" if 200 <= status < 300 else "wait")
    elif not settled:
        shown = _mark("no answer", "wait")
    else:
        shown = _mark("not told" if delivery["fault"] else "not enabled", "off")
    return (
        f'<td class="time">{_time(delivery["attempted_at"])}</td>'
        f"<td>{escape(delivery['type'])}</td>"
        f"<td>{shown}</td>"
        f"<td>{_mark(delivery['fault'], 'bad') if delivery['fault'] else ''}</td>"
        f'<td class="key"><a href="/_webhooks/deliveries?{urlencode({"event": delivery["event_id"]})}">'
        f"<code>{escape(delivery['event_id'])}</code></a></td>"
    )


def _table(names: str, rows: Iterable[str]) -> str:
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    if not body:
        return '<p class="empty">Nothing yet.</p>'
    head = "".join(f'<th class="{name.lower()}">{name}</th>' for name in names.split("|"))
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _heading(title: str, note: str) -> str:
    """Return a heading; `note` is HTML."""
    return f"<h2>{title} <small>{note}</small></h2>"


def _mark(text: object, colour: str) -> str:
    return f'<span class="mark {colour}">{escape(str(text))}</span>'


def _order(order_id: str | None) -> str:
    if order_id is None:
        return ""
    return f'<a href="{_link("/", order_id)}"><code>{escape(order_id)}</code></a>'


def _link(path: str, order_id: str | None) -> str:
    return path if order_id is None else escape(f"{path}?{urlencode({'order_id': order_id})}")


def _time(moment: float) -> str:
    when = datetime.fromtimestamp(moment, UTC)
    return f'<time datetime="{when.isoformat()}" title="{when:%Y-%m-%d}">{when:%H:%M:%S}</time>'
