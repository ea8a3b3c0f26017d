"""What was taken and given back before there was a ledger is booked as well.

The danger: a refund of an old payment booked beside no capture, and one that comes back and cannot be.
"""

from django.db import migrations

# Named as `payments/ledger/facts.py` names them: what is booked already is left, and later bookings find them.
_BOOK = """
WITH fact AS MATERIALIZED (
  SELECT 'capture:' || p.id AS source, 'captured' AS kind, p.id AS payment_id, p.order_id, p.gateway, p.currency,
         p.captured_minor AS amount_minor, COALESCE(p.settled_at, p.created_at) AS occurred_at,
         'clearing:' || p.gateway AS debit, 'receivable' AS credit
  FROM payments_payment p WHERE p.captured_minor > 0
  UNION ALL
  SELECT 'refund:' || r.id, 'refunded', p.id, p.order_id, p.gateway, p.currency, r.amount_minor,
         COALESCE(r.settled_at, r.created_at), 'refunds', 'clearing:' || p.gateway
  FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id WHERE r.status = 'succeeded'
), posted AS (
  INSERT INTO payments_ledger_transaction
      (source, kind, gateway, order_id, payment_id, occurred_at, recorded_at)
  SELECT source, kind, gateway, order_id, payment_id, occurred_at, now() FROM fact ORDER BY occurred_at, source
  ON CONFLICT (source) DO NOTHING
  RETURNING id, source
)
INSERT INTO payments_ledger_entry (transaction_id, account, currency, amount_minor)
SELECT posted.id, side.account, fact.currency, side.sign * fact.amount_minor
FROM posted JOIN fact USING (source)
CROSS JOIN LATERAL (VALUES (1, fact.debit), (-1, fact.credit)) AS side (sign, account)
ORDER BY posted.id, side.sign DESC
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0008_reconciliation")]

    operations = [migrations.RunSQL(_BOOK, migrations.RunSQL.noop)]
