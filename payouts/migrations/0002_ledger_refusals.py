"""What the database itself refuses about money (docs/money.md).

Attacked one by one with raw SQL in tests/payouts/test_refusals.py.
"""

from django.db import migrations

from events.triggers import append_only

# A transaction is sealed when the database transaction that wrote it ends. The xid alone would
# do, were it not for a backup restored into a new cluster, whose xids start again.
SEAL = """
ALTER TABLE payouts_ledgertransaction
    ADD COLUMN sealed_xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    ADD COLUMN sealed_at timestamptz NOT NULL DEFAULT transaction_timestamp();

CREATE FUNCTION payouts_seal_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.sealed_xid := pg_current_xact_id();
    NEW.sealed_at := transaction_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_transaction_seal BEFORE INSERT ON payouts_ledgertransaction
    FOR EACH ROW EXECUTE FUNCTION payouts_seal_transaction();
"""

UNSEAL = """
DROP TRIGGER ledger_transaction_seal ON payouts_ledgertransaction;
DROP FUNCTION payouts_seal_transaction();
ALTER TABLE payouts_ledgertransaction DROP COLUMN sealed_xid, DROP COLUMN sealed_at;
"""

ENTRY = """
CREATE FUNCTION payouts_check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    t record;
    a record;
    new_balance bigint;
BEGIN
    SELECT kind, sealed_xid, sealed_at INTO t
        FROM payouts_ledgertransaction WHERE id = NEW.transaction_id;
    SELECT code, kind, currency, floor_cents INTO a
        FROM payouts_account WHERE id = NEW.account_id;
    IF t IS NULL OR a IS NULL THEN
        RETURN NEW;  -- the foreign key says it better
    END IF;
    IF t.sealed_xid <> pg_current_xact_id() OR t.sealed_at <> transaction_timestamp() THEN
        RAISE EXCEPTION 'ledger transaction % is sealed', NEW.transaction_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.currency <> a.currency THEN
        RAISE EXCEPTION 'an entry in % on account % in %', NEW.currency, a.code, a.currency
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.amount_cents < 0 AND a.kind = 'contractor_payable'
            AND t.kind NOT IN ('reserve', 'exchange') THEN
        RAISE EXCEPTION 'earned money is not taken back: % of % on %',
            t.kind, NEW.amount_cents, a.code USING ERRCODE = 'check_violation';
    END IF;
    IF a.floor_cents IS NOT NULL THEN
        INSERT INTO payouts_balance AS b (account_id, balance_cents)
            VALUES (NEW.account_id, NEW.amount_cents)
            ON CONFLICT (account_id)
            DO UPDATE SET balance_cents = b.balance_cents + NEW.amount_cents
            RETURNING b.balance_cents INTO new_balance;
        IF new_balance < a.floor_cents THEN
            RAISE EXCEPTION 'account % would be at %, below its floor of %',
                a.code, new_balance, a.floor_cents USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entry_check BEFORE INSERT ON payouts_entry
    FOR EACH ROW EXECUTE FUNCTION payouts_check_entry();

CREATE FUNCTION payouts_guard_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'balances follow entries: % refused', TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER balance_follows_entries BEFORE INSERT OR UPDATE OR DELETE ON payouts_balance
    FOR EACH ROW EXECUTE FUNCTION payouts_guard_balance();
CREATE TRIGGER payouts_balance_no_truncate BEFORE TRUNCATE ON payouts_balance
    FOR EACH STATEMENT EXECUTE FUNCTION platform_refuse_change();
"""

ENTRY_BACK = """
DROP TRIGGER entry_check ON payouts_entry;
DROP FUNCTION payouts_check_entry();
DROP TRIGGER balance_follows_entries ON payouts_balance;
DROP TRIGGER payouts_balance_no_truncate ON payouts_balance;
DROP FUNCTION payouts_guard_balance();
"""

# Deferred: entries come after their transaction's row. On that row, so that a transaction
# without entries is looked at too; and on each entry, because SET CONSTRAINTS ... IMMEDIATE can
# have had the row's check over before a further entry is added. Nothing is remembered between the
# two: what a session can set, a session could use to switch the refusal off.
BALANCED = """
CREATE FUNCTION payouts_check_transaction(checked_id bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    t record;
    allowed text[];
    s record;
BEGIN
    SELECT id, kind, reverses_id INTO t FROM payouts_ledgertransaction WHERE id = checked_id;
    allowed := CASE t.kind
        WHEN 'earn' THEN ARRAY['project_expense', 'contractor_payable']
        WHEN 'reserve' THEN ARRAY['contractor_payable', 'contractor_in_transit']
        WHEN 'settle' THEN ARRAY['contractor_in_transit', 'cash']
        WHEN 'fail' THEN ARRAY['contractor_in_transit', 'contractor_payable']
        WHEN 'return' THEN ARRAY['cash', 'contractor_in_transit']
        WHEN 'exchange' THEN ARRAY['contractor_payable', 'exchange']
    END;
    SELECT coalesce(sum(n), 0) AS entries,
           coalesce(bool_and(total = 0), true) AS balanced,
           coalesce(bool_and(kinds), true) AS kinds,
           coalesce(min(first_person), 0) = coalesce(max(last_person), 0) AS one_person
        INTO s
        FROM (
            SELECT count(*) AS n, sum(e.amount_cents) AS total,
                   bool_and(a.kind = ANY (allowed)) AS kinds,
                   min(a.contractor_id) AS first_person, max(a.contractor_id) AS last_person
            FROM payouts_entry e JOIN payouts_account a ON a.id = e.account_id
            WHERE e.transaction_id = checked_id
            GROUP BY e.currency
        ) per_currency;
    IF s.entries < 2 THEN
        RAISE EXCEPTION 'ledger transaction % has % entries; two are the least',
            checked_id, s.entries USING ERRCODE = 'check_violation';
    END IF;
    IF NOT s.balanced THEN
        RAISE EXCEPTION 'ledger transaction % does not sum to zero per currency',
            checked_id USING ERRCODE = 'check_violation';
    END IF;
    IF NOT s.kinds THEN
        RAISE EXCEPTION 'ledger transaction % (%) touches an account that it may not',
            checked_id, t.kind USING ERRCODE = 'check_violation';
    END IF;
    IF NOT s.one_person THEN
        RAISE EXCEPTION 'ledger transaction % moves money between people',
            checked_id USING ERRCODE = 'check_violation';
    END IF;
    IF t.reverses_id IS NOT NULL AND (
        (t.kind, (SELECT kind FROM payouts_ledgertransaction WHERE id = t.reverses_id))
            NOT IN (('fail', 'reserve'), ('return', 'settle'))
        OR EXISTS (
            SELECT FROM payouts_entry WHERE transaction_id IN (checked_id, t.reverses_id)
            GROUP BY account_id HAVING sum(amount_cents) <> 0
        )
    ) THEN
        RAISE EXCEPTION 'ledger transaction % is not the exact opposite of %',
            checked_id, t.reverses_id USING ERRCODE = 'check_violation';
    END IF;
END $$;

CREATE FUNCTION payouts_transaction_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM payouts_check_transaction(NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION payouts_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM payouts_check_transaction(NEW.transaction_id);
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER ledger_transaction_balances AFTER INSERT ON payouts_ledgertransaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payouts_transaction_balances();
CREATE CONSTRAINT TRIGGER entry_balances AFTER INSERT ON payouts_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payouts_entry_balances();
"""

BALANCED_BACK = """
DROP TRIGGER ledger_transaction_balances ON payouts_ledgertransaction;
DROP TRIGGER entry_balances ON payouts_entry;
DROP FUNCTION payouts_transaction_balances();
DROP FUNCTION payouts_entry_balances();
DROP FUNCTION payouts_check_transaction(bigint);
"""

# A payable changes its state and nothing else; paid is the end unless the bank returns it.
PAYABLE = """
CREATE FUNCTION payouts_guard_payable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'state' IS DISTINCT FROM to_jsonb(OLD) - 'state' THEN
        RAISE EXCEPTION 'a payable never changes; corrections are new rows'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('accrued', 'held'), ('held', 'accrued'), ('accrued', 'batched'),
        ('batched', 'accrued'), ('batched', 'paid'), ('paid', 'accrued')
    ) THEN
        RAISE EXCEPTION 'a payable does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payable_changes_state_only BEFORE UPDATE ON payouts_payable
    FOR EACH ROW EXECUTE FUNCTION payouts_guard_payable();
CREATE TRIGGER payouts_payable_no_delete BEFORE DELETE ON payouts_payable
    FOR EACH ROW EXECUTE FUNCTION platform_refuse_change();
CREATE TRIGGER payouts_payable_no_truncate BEFORE TRUNCATE ON payouts_payable
    FOR EACH STATEMENT EXECUTE FUNCTION platform_refuse_change();
"""

PAYABLE_BACK = """
DROP TRIGGER payable_changes_state_only ON payouts_payable;
DROP TRIGGER payouts_payable_no_delete ON payouts_payable;
DROP TRIGGER payouts_payable_no_truncate ON payouts_payable;
DROP FUNCTION payouts_guard_payable();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0001_initial"), ("events", "0002_append_only")]

    operations = [
        migrations.RunSQL(SEAL, UNSEAL),
        migrations.RunSQL(ENTRY, ENTRY_BACK),
        migrations.RunSQL(BALANCED, BALANCED_BACK),
        migrations.RunSQL(PAYABLE, PAYABLE_BACK),
        append_only("payouts_account"),
        append_only("payouts_ledgertransaction"),
        append_only("payouts_entry"),
    ]
