"""Statements never change, and each takes up where the one before it ended."""

from django.db import migrations

from events.triggers import append_only

CHAIN = """
CREATE FUNCTION payouts_check_statement() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    p record;
BEGIN
    SELECT sequence, closing_cents, hash INTO p FROM payouts_statement
        WHERE contractor_id = NEW.contractor_id AND currency = NEW.currency
        ORDER BY sequence DESC LIMIT 1;
    IF NEW.sequence <> coalesce(p.sequence, 0) + 1
            OR NEW.opening_cents <> coalesce(p.closing_cents, 0)
            OR NEW.previous_hash <> coalesce(p.hash, '') THEN
        RAISE EXCEPTION 'statement % does not follow statement %', NEW.sequence, p.sequence
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER statement_follows BEFORE INSERT ON payouts_statement
    FOR EACH ROW EXECUTE FUNCTION payouts_check_statement();
"""

CHAIN_BACK = """
DROP TRIGGER statement_follows ON payouts_statement;
DROP FUNCTION payouts_check_statement();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0005_statements")]

    operations = [
        migrations.RunSQL(CHAIN, CHAIN_BACK),
        append_only("payouts_statement"),
        append_only("payouts_statemententry"),
    ]
