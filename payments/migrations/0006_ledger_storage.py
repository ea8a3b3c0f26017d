"""What the ledger needs of PostgreSQL: its order, balance at commit, and no way to change what is posted."""

import django.db.models.deletion
from django.db import migrations, models

import resilience.events.fields

# The entries of each statement balance, by transaction and currency: what was in balance stays so. One check
# per statement, over what it adds only, whatever the size of either. Nothing can be added to a transaction
# of an earlier database transaction, nor to none: this stands for the foreign key, which the role may not
# check (see _REVOKE). A subquery and not a join, so that no plan made for an empty table reads a full one.
_BALANCE = """
CREATE FUNCTION payments_ledger_check_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    culprit bigint;
BEGIN
    SELECT a.transaction_id INTO culprit
    FROM (SELECT DISTINCT transaction_id FROM added) a
    WHERE (SELECT t.xid FROM payments_ledger_transaction t WHERE t.id = a.transaction_id)
          IS DISTINCT FROM pg_current_xact_id()
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % is not of this database transaction', culprit
            USING ERRCODE = 'restrict_violation';
    END IF;
    SELECT transaction_id INTO culprit
    FROM added GROUP BY transaction_id, currency HAVING sum(amount_minor) <> 0
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'ledger transaction % does not balance', culprit USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER ledger_entries_balance
AFTER INSERT ON payments_ledger_entry
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION payments_ledger_check_entries();
"""
_BALANCE_UNDO = """
DROP TRIGGER ledger_entries_balance ON payments_ledger_entry;
DROP FUNCTION payments_ledger_check_entries();
"""

# At commit each transaction has entries; since each moves something and all sum to zero, at least two.
# Its xid, which orders the chain, is its writer's; and what it reverses exists.
_COMPLETE = """
CREATE FUNCTION payments_ledger_check_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.xid <> pg_current_xact_id() THEN
        RAISE EXCEPTION 'ledger transaction % is of another database transaction', NEW.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM payments_ledger_entry WHERE transaction_id = NEW.id) THEN
        RAISE EXCEPTION 'ledger transaction % has no entries', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.reverses_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM payments_ledger_transaction WHERE id = NEW.reverses_id)
    THEN
        RAISE EXCEPTION 'ledger transaction % reverses none', NEW.id USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER a_ledger_transaction_is_complete
AFTER INSERT ON payments_ledger_transaction
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION payments_ledger_check_transaction();
"""
_COMPLETE_UNDO = """
DROP TRIGGER a_ledger_transaction_is_complete ON payments_ledger_transaction;
DROP FUNCTION payments_ledger_check_transaction();
"""

_TABLES = ("payments_ledger_transaction", "payments_ledger_entry", "payments_ledger_seal")

# What was booked is not unbooked. TRUNCATE stays possible for tests.
_APPEND_ONLY = """
CREATE FUNCTION payments_ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'restrict_violation';
END
$$;
""" + "".join(
    f"""
CREATE TRIGGER the_ledger_is_append_only BEFORE UPDATE OR DELETE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION payments_ledger_refuse_change();
"""
    for table in _TABLES
)
_APPEND_ONLY_UNDO = (
    "".join(f"DROP TRIGGER the_ledger_is_append_only ON {table};\n" for table in _TABLES)
    + "DROP FUNCTION payments_ledger_refuse_change();"
)

# Who lacks UPDATE may not lock rows either, and a foreign key is checked with FOR KEY SHARE in the name of
# the table's owner: PostgreSQL 18 answers "permission denied". Hence no foreign keys between these tables.
_REVOKE = f"REVOKE UPDATE, DELETE ON {', '.join(_TABLES)} FROM CURRENT_USER"
_REVOKE_UNDO = f"GRANT UPDATE, DELETE ON {', '.join(_TABLES)} TO CURRENT_USER"


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_refund_operations")]

    operations = [
        migrations.AlterField(
            model_name="ledgertransaction",
            name="reverses",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reversals",
                to="payments.ledgertransaction",
            ),
        ),
        migrations.AlterField(
            model_name="ledgerentry",
            name="transaction",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="payments.ledgertransaction",
            ),
        ),
        migrations.AddField(
            model_name="ledgertransaction",
            name="xid",
            field=resilience.events.fields.Xid8Field(
                db_default=models.Func(function="pg_current_xact_id"), editable=False
            ),
        ),
        migrations.AddIndex(
            model_name="ledgertransaction",
            index=models.Index(fields=["xid", "id"], name="ledger_sealing_order"),
        ),
        migrations.AddIndex(
            model_name="ledgerentry",
            index=models.Index(fields=["account", "id"], name="ledger_of_an_account"),
        ),
        # Nothing was sealed before this migration, so no row needs a value.
        migrations.AddField(
            model_name="ledgerseal", name="last_xid", field=resilience.events.fields.Xid8Field()
        ),
        migrations.AddField(model_name="ledgerseal", name="marks", field=models.BinaryField()),
        migrations.RunSQL(_BALANCE, _BALANCE_UNDO),
        migrations.RunSQL(_COMPLETE, _COMPLETE_UNDO),
        migrations.RunSQL(_APPEND_ONLY, _APPEND_ONLY_UNDO),
        migrations.RunSQL(_REVOKE, _REVOKE_UNDO),
    ]
