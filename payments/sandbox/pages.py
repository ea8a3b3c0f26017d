"""The page on which a payer completes or fails 3-D Secure."""

from html import escape

from .records import Intent, Status

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox: confirm your payment</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem; }}
button {{ font: inherit; padding: .5rem 1rem; margin-right: .5rem; }}
</style>
</head>
<body>
<h1>Test bank</h1>
<p>Payment <code>{id}</code> of {amount} {currency} (minor units): <strong>{status}</strong>.</p>
{question}
</body>
</html>
"""
_QUESTION = """<form method="post">
<button name="outcome" value="succeed">Complete authentication</button>
<button name="outcome" value="fail">Fail authentication</button>
</form>"""


def payer_page(intent: Intent) -> str:
    """Return the page of `intent`, with the question as long as it waits for the payer."""
    waiting = intent.status == Status.REQUIRES_ACTION
    return _PAGE.format(
        id=escape(intent.id),
        amount=intent.amount,
        currency=escape(intent.currency.upper()),
        status=escape(intent.status),
        question=_QUESTION if waiting else "<p>There is nothing left to do here.</p>",
    )
