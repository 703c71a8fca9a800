"""A report stays as it was uploaded, and a tax form as it was signed."""

from django.db import migrations

# The identifier's ciphertext may change: it is encrypted anew when keys are rotated.
GUARDS = """
CREATE FUNCTION payouts_guard_bank_report() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'followed_by_id' - 'followed_at'
            IS DISTINCT FROM to_jsonb(OLD) - 'followed_by_id' - 'followed_at'
        OR OLD.followed_at IS NOT NULL THEN
        RAISE EXCEPTION 'report %: what it says and who followed it are fixed', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER bank_report_guard BEFORE UPDATE ON payouts_bankreport
    FOR EACH ROW EXECUTE FUNCTION payouts_guard_bank_report();
CREATE TRIGGER payouts_bankreport_no_delete BEFORE DELETE ON payouts_bankreport
    FOR EACH ROW EXECUTE FUNCTION platform_refuse_change();
CREATE TRIGGER payouts_bankreport_no_truncate BEFORE TRUNCATE ON payouts_bankreport
    FOR EACH STATEMENT EXECUTE FUNCTION platform_refuse_change();

CREATE FUNCTION payouts_guard_tax_form() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'replaced_at' - 'tin' IS DISTINCT FROM to_jsonb(OLD) - 'replaced_at' - 'tin'
        OR (OLD.replaced_at IS NOT NULL AND NEW.replaced_at IS DISTINCT FROM OLD.replaced_at)
        OR ((NEW.tin = ''::bytea) <> (OLD.tin = ''::bytea)) THEN
        RAISE EXCEPTION 'tax form %: what was signed never changes; sign the next one', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tax_form_guard BEFORE UPDATE ON payouts_taxform
    FOR EACH ROW EXECUTE FUNCTION payouts_guard_tax_form();
CREATE TRIGGER payouts_taxform_no_delete BEFORE DELETE ON payouts_taxform
    FOR EACH ROW EXECUTE FUNCTION platform_refuse_change();
CREATE TRIGGER payouts_taxform_no_truncate BEFORE TRUNCATE ON payouts_taxform
    FOR EACH STATEMENT EXECUTE FUNCTION platform_refuse_change();
"""

GUARDS_BACK = """
DROP TRIGGER bank_report_guard ON payouts_bankreport;
DROP TRIGGER payouts_bankreport_no_delete ON payouts_bankreport;
DROP TRIGGER payouts_bankreport_no_truncate ON payouts_bankreport;
DROP FUNCTION payouts_guard_bank_report();
DROP TRIGGER tax_form_guard ON payouts_taxform;
DROP TRIGGER payouts_taxform_no_delete ON payouts_taxform;
DROP TRIGGER payouts_taxform_no_truncate ON payouts_taxform;
DROP FUNCTION payouts_guard_tax_form();
"""


class Migration(migrations.Migration):
    dependencies = [("payouts", "0021_holds_reports_tax_forms")]

    operations = [migrations.RunSQL(GUARDS, GUARDS_BACK)]
