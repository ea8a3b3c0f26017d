-- pgbench, --protocol=prepared: the rows that an order of Holdfast leaves behind, written by the plainest
-- statements there are, each by its key and planned once. Same three transactions. What Holdfast's own
-- SQL does besides (fences, compare-and-set, whole batches) is left out.
-- A name behind a colon is a variable to pgbench even within quotes, hence the colons by themselves.
\set number :first + :client_id * :per_client + :i
\set sku 1000 + :number % 100
\set i :i + 1

BEGIN;
UPDATE resilience_saga SET lease_owner = 'benchmark', lease_until = clock_timestamp() + interval '15 s', fence = 1
  WHERE id = ('00000002-0000-7000-8000-' || :number)::uuid;
SELECT sku, quantity FROM orders_order_line WHERE order_id = ('00000000-0000-7000-8000-' || :number)::uuid;
UPDATE orders_product SET reserved = reserved + 1 WHERE sku = 'bench-' || :sku;
INSERT INTO orders_reservation (order_id, product_id, quantity, status)
  VALUES (('00000000-0000-7000-8000-' || :number)::uuid, 'bench-' || :sku, 1, 'held');
SELECT id, amount_minor, currency, method FROM payments_payment
  WHERE order_id = ('00000000-0000-7000-8000-' || :number)::uuid;
INSERT INTO payments_operation (id, payment_id, kind, gateway, key, amount_minor, phase, outcome, reference, error,
                                sends, created_at, sent_at)
  VALUES (('00000003-0000-7000-8000-' || :number)::uuid, ('00000001-0000-7000-8000-' || :number)::uuid, 'authorize',
          'benchmark', 'authorize-00000003-0000-7000-8000-' || :number, 1299, 'sent', '', '', '', 1,
          clock_timestamp(), clock_timestamp());
UPDATE resilience_saga SET cursor = 1, fence = 2, lease_until = clock_timestamp() + interval '15 s'
  WHERE id = ('00000002-0000-7000-8000-' || :number)::uuid;
INSERT INTO resilience_saga_step (saga_id, fence, step, direction, attempt, outcome, error, started_at, finished_at)
  VALUES (('00000002-0000-7000-8000-' || :number)::uuid, 1, 'reserve_stock', 'do', 1, 'done', '',
          clock_timestamp(), clock_timestamp());
COMMIT;
-- gateway
BEGIN;
UPDATE payments_operation SET phase = 'settled', outcome = 'succeeded', reference = 'pi_000000000000000000000000',
       evidence = '{"http_status": 200, "id": "pi_000000000000000000000000", "object": "payment_intent"}',
       settled_at = clock_timestamp()
  WHERE id = ('00000003-0000-7000-8000-' || :number)::uuid;
UPDATE payments_payment SET status = 'authorized', gateway = 'benchmark', reference = 'pi_000000000000000000000000'
  WHERE id = ('00000001-0000-7000-8000-' || :number)::uuid;
INSERT INTO resilience_event_stream (aggregatetype, aggregateid, sequence, xid)
  VALUES ('payment', ('00000001-0000-7000-8000-' || :number)::uuid, 1, pg_current_xact_id());
INSERT INTO resilience_event (id, aggregatetype, aggregateid, sequence, type, version, payload, xid, occurred_at,
                              recorded_at)
  VALUES (('00000004-0000-7000-8000-' || :number)::uuid, 'payment', ('00000001-0000-7000-8000-' || :number)::uuid, 1,
          'payment.authorized', 1, '{"amount_minor": 1299, "currency": "EUR", "gateway": "benchmark"}',
          pg_current_xact_id(), clock_timestamp(), clock_timestamp());
INSERT INTO payments_operation (id, payment_id, kind, gateway, key, amount_minor, phase, outcome, reference, error,
                                sends, created_at, sent_at)
  VALUES (('00000005-0000-7000-8000-' || :number)::uuid, ('00000001-0000-7000-8000-' || :number)::uuid, 'capture',
          'benchmark', 'capture-00000005-0000-7000-8000-' || :number, 1299, 'sent', '', '', '', 1,
          clock_timestamp(), clock_timestamp());
UPDATE resilience_saga SET cursor = 2, fence = 3, lease_until = clock_timestamp() + interval '15 s'
  WHERE id = ('00000002-0000-7000-8000-' || :number)::uuid;
INSERT INTO resilience_saga_step (saga_id, fence, step, direction, attempt, outcome, error, started_at, finished_at)
  VALUES (('00000002-0000-7000-8000-' || :number)::uuid, 2, 'authorize_payment', 'do', 1, 'done', '',
          clock_timestamp(), clock_timestamp());
COMMIT;
-- gateway
BEGIN;
UPDATE payments_operation SET phase = 'settled', outcome = 'succeeded', reference = 'pi_000000000000000000000000',
       evidence = '{"http_status": 200, "id": "pi_000000000000000000000000", "object": "payment_intent"}',
       settled_at = clock_timestamp()
  WHERE id = ('00000005-0000-7000-8000-' || :number)::uuid;
UPDATE payments_payment SET status = 'captured', captured_minor = amount_minor, settled_at = clock_timestamp()
  WHERE id = ('00000001-0000-7000-8000-' || :number)::uuid;
UPDATE resilience_event_stream SET sequence = 2, xid = pg_current_xact_id()
  WHERE aggregatetype = 'payment' AND aggregateid = ('00000001-0000-7000-8000-' || :number)::uuid;
INSERT INTO resilience_event (id, aggregatetype, aggregateid, sequence, type, version, payload, xid, occurred_at,
                              recorded_at)
  VALUES (('00000006-0000-7000-8000-' || :number)::uuid, 'payment', ('00000001-0000-7000-8000-' || :number)::uuid, 2,
          'payment.captured', 1, '{"amount_minor": 1299, "currency": "EUR", "gateway": "benchmark"}',
          pg_current_xact_id(), clock_timestamp(), clock_timestamp());
WITH posted AS (
  INSERT INTO payments_ledger_transaction (source, kind, gateway, order_id, payment_id, occurred_at, recorded_at)
  VALUES ('capture' || ':' || '00000001-0000-7000-8000-' || :number, 'captured', 'benchmark',
          ('00000000-0000-7000-8000-' || :number)::uuid, ('00000001-0000-7000-8000-' || :number)::uuid,
          clock_timestamp(), clock_timestamp())
  RETURNING id)
INSERT INTO payments_ledger_entry (transaction_id, account, currency, amount_minor)
  SELECT id, account, 'EUR', amount FROM posted, (VALUES ('clearing' || ':' || 'benchmark', 1299), ('receivable', -1299))
    AS side (account, amount);
UPDATE orders_reservation SET status = 'committed'
  WHERE order_id = ('00000000-0000-7000-8000-' || :number)::uuid;
UPDATE orders_product SET on_hand = on_hand - 1, reserved = reserved - 1 WHERE sku = 'bench-' || :sku;
UPDATE orders_order SET status = 'confirmed', settled_at = clock_timestamp()
  WHERE id = ('00000000-0000-7000-8000-' || :number)::uuid;
UPDATE resilience_event_stream SET sequence = 2, xid = pg_current_xact_id()
  WHERE aggregatetype = 'order' AND aggregateid = ('00000000-0000-7000-8000-' || :number)::uuid;
INSERT INTO resilience_event (id, aggregatetype, aggregateid, sequence, type, version, payload, xid, occurred_at,
                              recorded_at)
  VALUES (('00000007-0000-7000-8000-' || :number)::uuid, 'order', ('00000000-0000-7000-8000-' || :number)::uuid, 2,
          'order.confirmed', 1, '{"client": "benchmark", "currency": "EUR", "total_minor": 1299}',
          pg_current_xact_id(), clock_timestamp(), clock_timestamp());
UPDATE resilience_saga SET status = 'completed', cursor = 3, fence = 4, due_at = NULL, lease_owner = '',
       lease_until = NULL, ended_at = clock_timestamp()
  WHERE id = ('00000002-0000-7000-8000-' || :number)::uuid;
INSERT INTO resilience_saga_step (saga_id, fence, step, direction, attempt, outcome, error, started_at, finished_at)
  VALUES (('00000002-0000-7000-8000-' || :number)::uuid, 3, 'capture_payment', 'do', 1, 'done', '',
          clock_timestamp(), clock_timestamp()),
         (('00000002-0000-7000-8000-' || :number)::uuid, 3, 'confirm_order', 'do', 1, 'done', '',
          clock_timestamp(), clock_timestamp());
COMMIT;
