"""The same refusals and two more, judged once per statement instead of once per row.

New: all entries of a transaction come in one statement, so what a statement leaves behind is
whole; and an entry must find its transaction and its account there already (written before them
it used to slip past every check but the foreign keys').

As row triggers they cost an earning three aggregations, and a payout run one for each of its
entries: docs/performance.md.
"""

from importlib import import_module

from django.db import migrations

before = import_module("payouts.migrations.0002_ledger_refusals")

# Most writers leave the seal to its defaults; the trigger corrects those who choose one.
SEAL = """
DROP TRIGGER ledger_transaction_seal ON payouts_ledgertransaction;
CREATE TRIGGER ledger_transaction_seal BEFORE INSERT ON payouts_ledgertransaction
    FOR EACH ROW
    WHEN (NEW.sealed_xid <> pg_current_xact_id() OR NEW.sealed_at <> transaction_timestamp())
    EXECUTE FUNCTION payouts_seal_transaction();
"""
SEAL_BACK = """
DROP TRIGGER ledger_transaction_seal ON payouts_ledgertransaction;
CREATE TRIGGER ledger_transaction_seal BEFORE INSERT ON payouts_ledgertransaction
    FOR EACH ROW EXECUTE FUNCTION payouts_seal_transaction();
"""

# A session keeps a function's plans. They may be made for the two entries of an earning or for
# the twenty thousand of a payout run, or while the tables are empty; the settings make them go
# by the indexes whichever comes first.
ENTRIES = """
CREATE FUNCTION payouts_check_entries() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    s record;
    b record;
BEGIN
    SELECT * INTO s FROM (
        SELECT c.transaction_id, max(c.kind) AS kind, max(c.reverses_id) AS reverses_id,
               bool_or(c.unknown) AS unknown, bool_or(c.sealed) AS sealed,
               sum(c.entries) AS entries, bool_and(c.total = 0) AS balanced,
               bool_and(c.kinds) AS kinds, min(c.first_person) AS first_person,
               max(c.last_person) AS last_person, max(c.foreign_account) AS foreign_account,
               max(c.taken_from) AS taken_from
        FROM (
            SELECT e.transaction_id, t.kind, t.reverses_id,
                   t.id IS NULL OR bool_or(a.id IS NULL) AS unknown,
                   t.sealed_xid <> pg_current_xact_id()
                       OR t.sealed_at <> transaction_timestamp() AS sealed,
                   count(*) AS entries, sum(e.amount_cents) AS total,
                   bool_and(a.kind = ANY (CASE t.kind
                       WHEN 'earn' THEN ARRAY['project_expense', 'contractor_payable']
                       WHEN 'reserve' THEN ARRAY['contractor_payable', 'contractor_in_transit']
                       WHEN 'settle' THEN ARRAY['contractor_in_transit', 'cash']
                       WHEN 'fail' THEN ARRAY['contractor_in_transit', 'contractor_payable']
                       WHEN 'return' THEN ARRAY['cash', 'contractor_in_transit']
                       WHEN 'exchange' THEN ARRAY['contractor_payable', 'exchange']
                   END)) AS kinds,
                   min(a.contractor_id) AS first_person, max(a.contractor_id) AS last_person,
                   max(a.code) FILTER (WHERE a.currency <> e.currency) AS foreign_account,
                   max(a.code) FILTER (
                       WHERE e.amount_cents < 0 AND a.kind = 'contractor_payable'
                           AND t.kind NOT IN ('reserve', 'exchange')
                   ) AS taken_from
            FROM added e
            LEFT JOIN payouts_ledgertransaction t ON t.id = e.transaction_id
            LEFT JOIN payouts_account a ON a.id = e.account_id
            GROUP BY e.transaction_id, t.id, e.currency
        ) c
        GROUP BY c.transaction_id
    ) d
    WHERE d.unknown OR d.sealed OR d.foreign_account IS NOT NULL OR d.taken_from IS NOT NULL
        OR d.entries < 2 OR NOT d.balanced OR NOT d.kinds OR d.first_person <> d.last_person
        OR d.entries <> (SELECT count(*) FROM payouts_entry x
                         WHERE x.transaction_id = d.transaction_id)
        OR (d.reverses_id IS NOT NULL AND (
            (d.kind, (SELECT kind FROM payouts_ledgertransaction WHERE id = d.reverses_id))
                NOT IN (('fail', 'reserve'), ('return', 'settle'))
            OR EXISTS (
                SELECT FROM payouts_entry
                WHERE transaction_id IN (d.transaction_id, d.reverses_id)
                GROUP BY account_id HAVING sum(amount_cents) <> 0
            )
        ))
    LIMIT 1;
    IF FOUND THEN
        IF s.unknown THEN
            RAISE EXCEPTION 'an entry of ledger transaction %: there is no such transaction or '
                'account yet', s.transaction_id USING ERRCODE = 'foreign_key_violation';
        ELSIF s.sealed OR s.entries <> (
            SELECT count(*) FROM payouts_entry x WHERE x.transaction_id = s.transaction_id
        ) THEN
            RAISE EXCEPTION 'ledger transaction % is sealed: its entries came in one statement',
                s.transaction_id USING ERRCODE = 'restrict_violation';
        ELSIF s.foreign_account IS NOT NULL THEN
            RAISE EXCEPTION 'an entry of ledger transaction % is in another currency than its '
                'account %', s.transaction_id, s.foreign_account
                USING ERRCODE = 'check_violation';
        ELSIF s.taken_from IS NOT NULL THEN
            RAISE EXCEPTION 'earned money is not taken back: % on %', s.kind, s.taken_from
                USING ERRCODE = 'check_violation';
        ELSIF s.entries < 2 THEN
            RAISE EXCEPTION 'ledger transaction % has % entries; two are the least',
                s.transaction_id, s.entries USING ERRCODE = 'check_violation';
        ELSIF NOT s.balanced THEN
            RAISE EXCEPTION 'ledger transaction % does not sum to zero per currency',
                s.transaction_id USING ERRCODE = 'check_violation';
        ELSIF NOT s.kinds THEN
            RAISE EXCEPTION 'ledger transaction % (%) touches an account that it may not',
                s.transaction_id, s.kind USING ERRCODE = 'check_violation';
        ELSIF s.first_person <> s.last_person THEN
            RAISE EXCEPTION 'ledger transaction % moves money between people',
                s.transaction_id USING ERRCODE = 'check_violation';
        ELSE
            RAISE EXCEPTION 'ledger transaction % is not the exact opposite of %',
                s.transaction_id, s.reverses_id USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    -- By account: two statements that move the same balances wait for each other in one order.
    WITH moved AS (
        INSERT INTO payouts_balance AS running (account_id, balance_cents)
        SELECT e.account_id, sum(e.amount_cents)
        FROM added e JOIN payouts_account a ON a.id = e.account_id
        WHERE a.floor_cents IS NOT NULL
        GROUP BY e.account_id ORDER BY e.account_id
        ON CONFLICT (account_id)
        DO UPDATE SET balance_cents = running.balance_cents + EXCLUDED.balance_cents
        RETURNING account_id, balance_cents
    )
    SELECT a.code, a.floor_cents, m.balance_cents INTO b
    FROM moved m JOIN payouts_account a ON a.id = m.account_id
    WHERE m.balance_cents < a.floor_cents
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'account % would be at %, below its floor of %',
            b.code, b.balance_cents, b.floor_cents USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER entry_check ON payouts_entry;
DROP TRIGGER entry_balances ON payouts_entry;
DROP FUNCTION payouts_check_entry();
DROP FUNCTION payouts_entry_balances();
CREATE TRIGGER entries_check AFTER INSERT ON payouts_entry
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION payouts_check_entries();

-- What has entries was judged with them. Deferred: they come after the transaction's row.
CREATE OR REPLACE FUNCTION payouts_transaction_balances() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM payouts_entry WHERE transaction_id = NEW.id) THEN
        RAISE EXCEPTION 'ledger transaction % has 0 entries; two are the least', NEW.id
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
DROP FUNCTION payouts_check_transaction(bigint);

-- A balance may follow an entry, whose trigger is one deep; nobody else writes one.
DROP TRIGGER balance_follows_entries ON payouts_balance;
CREATE TRIGGER balance_follows_entries BEFORE INSERT OR UPDATE ON payouts_balance
    FOR EACH ROW WHEN (pg_trigger_depth() < 1) EXECUTE FUNCTION payouts_guard_balance();
CREATE TRIGGER payouts_balance_no_delete BEFORE DELETE ON payouts_balance
    FOR EACH ROW EXECUTE FUNCTION payouts_guard_balance();
"""
ENTRIES_BACK = (
    """
DROP TRIGGER entries_check ON payouts_entry;
DROP FUNCTION payouts_check_entries();
DROP TRIGGER ledger_transaction_balances ON payouts_ledgertransaction;
DROP FUNCTION payouts_transaction_balances();
DROP TRIGGER balance_follows_entries ON payouts_balance;
DROP TRIGGER payouts_balance_no_truncate ON payouts_balance;
DROP TRIGGER payouts_balance_no_delete ON payouts_balance;
DROP FUNCTION payouts_guard_balance();
"""
    + before.ENTRY
    + before.BALANCED
)

# The function looks closely; it is called only for what it will refuse. A test holds that every
# column but the state is named here.
PAYABLE = """
DROP TRIGGER payable_changes_state_only ON payouts_payable;
CREATE TRIGGER payable_changes_state_only BEFORE UPDATE ON payouts_payable
    FOR EACH ROW WHEN (
        (NEW.id, NEW.source_key, NEW.contractor_id, NEW.project_id, NEW.assignment_id,
            NEW.submission_id, NEW.price_version_id, NEW.kind, NEW.amount_cents, NEW.currency,
            NEW.transaction_id, NEW.actor_id, NEW.reason, NEW.accrued_at)
        IS DISTINCT FROM
        (OLD.id, OLD.source_key, OLD.contractor_id, OLD.project_id, OLD.assignment_id,
            OLD.submission_id, OLD.price_version_id, OLD.kind, OLD.amount_cents, OLD.currency,
            OLD.transaction_id, OLD.actor_id, OLD.reason, OLD.accrued_at)
        OR (OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
            ('accrued', 'held'), ('held', 'accrued'), ('accrued', 'batched'),
            ('batched', 'accrued'), ('batched', 'paid'), ('paid', 'accrued')
        ))
    ) EXECUTE FUNCTION payouts_guard_payable();
"""
PAYABLE_BACK = """
DROP TRIGGER payable_changes_state_only ON payouts_payable;
CREATE TRIGGER payable_changes_state_only BEFORE UPDATE ON payouts_payable
    FOR EACH ROW EXECUTE FUNCTION payouts_guard_payable();
"""

# An earning and its event in one call, with plans that a session makes once. Null when the key
# was posted before, or when an account is not open yet: then nothing is written.
EARNING = """
CREATE FUNCTION payouts_post_earning(
    expense_code text, owed_code text, key text, contractor bigint, project bigint,
    assignment bigint, submission bigint, price_version bigint, kind_ text, cents bigint,
    currency_ text, actor bigint, reason_ text, event_type text, subject_type_ text,
    OUT payable_id bigint, OUT posted_id bigint, OUT posted_at timestamptz, OUT event_id bigint
) LANGUAGE plpgsql AS $$
DECLARE
    expense_id bigint;
    owed_id bigint;
BEGIN
    SELECT id INTO expense_id FROM payouts_account WHERE code = expense_code;
    SELECT id INTO owed_id FROM payouts_account WHERE code = owed_code;
    IF expense_id IS NULL OR owed_id IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO payouts_ledgertransaction (kind, idempotency_key) VALUES ('earn', key)
        ON CONFLICT (idempotency_key) DO NOTHING RETURNING id INTO posted_id;
    IF posted_id IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO payouts_entry (transaction_id, account_id, currency, amount_cents)
        VALUES (posted_id, owed_id, currency_, cents), (posted_id, expense_id, currency_, -cents);
    INSERT INTO payouts_payable (source_key, contractor_id, project_id, assignment_id,
            submission_id, price_version_id, kind, amount_cents, currency, state,
            transaction_id, actor_id, reason)
        VALUES (key, contractor, project, assignment, submission, price_version, kind_, cents,
            currency_, 'accrued', posted_id, actor, reason_)
        RETURNING id, accrued_at INTO payable_id, posted_at;
    INSERT INTO events_event (type, actor_id, subject_type, subject_id, data)
        VALUES (event_type, actor, subject_type_, payable_id, jsonb_build_object(
            'contractor_id', contractor, 'project_id', project, 'assignment_id', assignment,
            'kind', kind_, 'amount_cents', cents, 'currency', currency_))
        RETURNING id INTO event_id;
END $$;
"""
EARNING_BACK = """
DROP FUNCTION payouts_post_earning(text, text, text, bigint, bigint, bigint, bigint, bigint, text,
    bigint, text, bigint, text, text, text);
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0006_statement_refusals"), ("events", "0002_append_only")]

    operations = [
        migrations.RunSQL(SEAL, SEAL_BACK),
        migrations.RunSQL(ENTRIES, ENTRIES_BACK),
        migrations.RunSQL(PAYABLE, PAYABLE_BACK),
        migrations.RunSQL(EARNING, EARNING_BACK),
    ]
