-- The sandbox's book. docs/sandbox.md explains each table to those who open it from outside.

CREATE TABLE IF NOT EXISTS intents (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    capture_method TEXT NOT NULL,
    client_secret TEXT NOT NULL,
    order_id TEXT,
    customer TEXT,
    metadata TEXT NOT NULL,
    details TEXT NOT NULL,
    status TEXT NOT NULL,
    payment_method TEXT,
    amount_capturable INTEGER NOT NULL,
    amount_received INTEGER NOT NULL,
    latest_charge TEXT,
    last_payment_error TEXT,
    next_action TEXT,
    canceled_at INTEGER,
    cancellation_reason TEXT,
    CHECK (amount_received + amount_capturable <= amount)
);
CREATE INDEX IF NOT EXISTS intents_by_customer ON intents (customer) WHERE customer IS NOT NULL;

CREATE TABLE IF NOT EXISTS intent_metadata (
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    intent_seq INTEGER NOT NULL REFERENCES intents (seq),
    PRIMARY KEY (key, value, intent_seq)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS charges (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    intent_id TEXT NOT NULL REFERENCES intents (id),
    order_id TEXT,
    created INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    customer TEXT,
    metadata TEXT NOT NULL,
    payment_method TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('succeeded', 'failed')),
    failure_code TEXT,
    failure_message TEXT,
    decline_code TEXT,
    amount_captured INTEGER NOT NULL,
    amount_refunded INTEGER NOT NULL,
    captured_at INTEGER,
    released_at INTEGER,
    capture_before INTEGER,
    balance_transaction TEXT,
    disputed INTEGER NOT NULL,
    CHECK (amount_captured BETWEEN 0 AND amount),
    CHECK (amount_refunded BETWEEN 0 AND amount_captured),
    CHECK (status = 'succeeded' OR amount_captured = 0)
);
CREATE INDEX IF NOT EXISTS charges_by_intent ON charges (intent_id);
CREATE INDEX IF NOT EXISTS open_authorizations ON charges (capture_before)
    WHERE status = 'succeeded' AND captured_at IS NULL AND released_at IS NULL;

CREATE TABLE IF NOT EXISTS refunds (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    intent_id TEXT NOT NULL REFERENCES intents (id),
    charge_id TEXT NOT NULL REFERENCES charges (id),
    order_id TEXT,
    created INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    metadata TEXT NOT NULL,
    reason TEXT,
    status TEXT NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    payment_method TEXT NOT NULL,
    balance_transaction TEXT,
    failure_reason TEXT,
    failure_balance_transaction TEXT
);
CREATE INDEX IF NOT EXISTS refunds_by_charge ON refunds (charge_id);
CREATE INDEX IF NOT EXISTS refunds_by_intent ON refunds (intent_id);

CREATE TABLE IF NOT EXISTS disputes (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    intent_id TEXT NOT NULL REFERENCES intents (id),
    charge_id TEXT NOT NULL REFERENCES charges (id),
    order_id TEXT,
    created INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    reason TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('needs_response', 'won', 'lost')),
    payment_method TEXT NOT NULL,
    movements TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS disputes_by_charge ON disputes (charge_id);

CREATE TABLE IF NOT EXISTS balance_transactions (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    intent_id TEXT NOT NULL REFERENCES intents (id),
    order_id TEXT,
    created INTEGER NOT NULL,
    type TEXT NOT NULL,
    reporting_category TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount <> 0),
    fee INTEGER NOT NULL CHECK (fee >= 0),
    currency TEXT NOT NULL,
    source TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS balance_transactions_by_source ON balance_transactions (source);

CREATE TABLE IF NOT EXISTS timers (
    subject TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    due_at REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS timers_by_time ON timers (due_at);

CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    type TEXT NOT NULL,
    created INTEGER NOT NULL,
    subject TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    request_id TEXT,
    idempotency_key TEXT
);

CREATE TABLE IF NOT EXISTS deliveries (
    seq INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL REFERENCES events (id),
    attempted_at REAL NOT NULL,
    status INTEGER,
    fault TEXT,
    settled INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event_id);

CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY,
    endpoint TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    request_id TEXT NOT NULL,
    order_id TEXT,
    intent_id TEXT,
    created REAL NOT NULL
);

CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL,
    received_at REAL NOT NULL,
    operation TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    idempotency_key TEXT,
    body_hash TEXT NOT NULL,
    order_id TEXT,
    intent_id TEXT,
    status INTEGER,
    fault TEXT,
    replayed INTEGER NOT NULL,
    replied_at REAL
);
