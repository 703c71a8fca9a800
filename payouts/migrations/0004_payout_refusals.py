"""What the database refuses about payouts, beside the constraints of 0003."""

from django.db import migrations

from events.triggers import append_only

# States move along these lines only, the amount is what the items say, and what is
# settled stays settled. The same table is `payouts.rules.PAYOUT_MOVES`; a test compares the two.
PAYOUT = """
CREATE FUNCTION payouts_guard_payout() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    of_items bigint;
BEGIN
    IF (NEW.run_id, NEW.contractor_id, NEW.method_id, NEW.rail, NEW.currency, NEW.our_reference)
            IS DISTINCT FROM (OLD.run_id, OLD.contractor_id, OLD.method_id, OLD.rail, OLD.currency,
                OLD.our_reference)
        OR (OLD.state <> 'draft' AND NEW.amount_cents <> OLD.amount_cents)
        OR (OLD.provider_reference <> '' AND NEW.provider_reference <> OLD.provider_reference)
        OR (OLD.reserve_id IS NOT NULL AND NEW.reserve_id IS DISTINCT FROM OLD.reserve_id)
        OR (OLD.settle_id IS NOT NULL AND NEW.settle_id IS DISTINCT FROM OLD.settle_id) THEN
        RAISE EXCEPTION 'payout %: what it pays to whom is fixed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND (OLD.state, NEW.state) NOT IN (
        ('draft', 'locked'), ('draft', 'cancelled'),
        ('locked', 'approved'), ('locked', 'cancelled'),
        ('approved', 'sending'), ('approved', 'submitted'),
        ('sending', 'submitted'), ('sending', 'unknown'), ('sending', 'failed'),
        ('unknown', 'submitted'), ('unknown', 'failed'),
        ('submitted', 'settled'), ('submitted', 'failed'),
        ('settled', 'returned')
    ) THEN
        RAISE EXCEPTION 'a payout does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'draft' AND NEW.state = 'locked' THEN
        SELECT coalesce(sum(p.amount_cents), 0) INTO of_items
            FROM payouts_payoutitem i JOIN payouts_payable p ON p.id = i.payable_id
            WHERE i.payout_id = NEW.id AND NOT i.released
                AND p.contractor_id = NEW.contractor_id AND p.currency = NEW.currency;
        IF of_items <> NEW.amount_cents THEN
            RAISE EXCEPTION 'payout % pays %, its items are worth %',
                NEW.id, NEW.amount_cents, of_items USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payout_guard BEFORE UPDATE ON payouts_payout
    FOR EACH ROW EXECUTE FUNCTION payouts_guard_payout();
CREATE TRIGGER payouts_payout_no_delete BEFORE DELETE ON payouts_payout
    FOR EACH ROW EXECUTE FUNCTION platform_refuse_change();

CREATE FUNCTION payouts_guard_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.payout_id, NEW.number, NEW.idempotency_key, NEW.request, NEW.request_sha256,
            NEW.first_sent_at)
        IS DISTINCT FROM (OLD.payout_id, OLD.number, OLD.idempotency_key, OLD.request,
            OLD.request_sha256, OLD.first_sent_at)
        OR (OLD.outcome <> 'pending' AND NEW.outcome <> OLD.outcome) THEN
        RAISE EXCEPTION 'attempt %: its request and its answer are fixed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payout_attempt_guard BEFORE UPDATE ON payouts_payoutattempt
    FOR EACH ROW EXECUTE FUNCTION payouts_guard_attempt();
CREATE TRIGGER payouts_payoutattempt_no_delete BEFORE DELETE ON payouts_payoutattempt
    FOR EACH ROW EXECUTE FUNCTION platform_refuse_change();
"""

PAYOUT_BACK = """
DROP TRIGGER payout_guard ON payouts_payout;
DROP TRIGGER payouts_payout_no_delete ON payouts_payout;
DROP FUNCTION payouts_guard_payout();
DROP TRIGGER payout_attempt_guard ON payouts_payoutattempt;
DROP TRIGGER payouts_payoutattempt_no_delete ON payouts_payoutattempt;
DROP FUNCTION payouts_guard_attempt();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0003_payout_runs")]

    operations = [
        migrations.RunSQL(PAYOUT, PAYOUT_BACK),
        append_only("payouts_payoutfile"),
    ]
