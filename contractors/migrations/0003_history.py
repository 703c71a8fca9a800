"""What was declared and what was published stays: refused by the database, not by politeness."""

from django.db import migrations

from events.triggers import append_only

RESIDENCE = """
CREATE FUNCTION contractors_residence_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- The one change there is: an open residence gets its last day.
    IF TG_OP = 'UPDATE' AND upper_inf(OLD.valid) AND NOT upper_inf(NEW.valid)
        AND lower(NEW.valid) = lower(OLD.valid)
        AND (NEW.id, NEW.contractor_id, NEW.area, NEW.evidence, NEW.declared_at)
          = (OLD.id, OLD.contractor_id, OLD.area, OLD.evidence, OLD.declared_at)
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a declared residence is history: % refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER contractors_residence_history BEFORE UPDATE OR DELETE ON contractors_residence
    FOR EACH ROW EXECUTE FUNCTION contractors_residence_history();
CREATE TRIGGER contractors_residence_no_truncate BEFORE TRUNCATE ON contractors_residence
    FOR EACH STATEMENT EXECUTE FUNCTION platform_refuse_change();
"""

RESIDENCE_BACK = """
DROP TRIGGER contractors_residence_no_truncate ON contractors_residence;
DROP TRIGGER contractors_residence_history ON contractors_residence;
DROP FUNCTION contractors_residence_history();
"""

SEALED = """
ALTER TABLE contractors_eligibilitypolicyversion
    ADD COLUMN published_by_transaction xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE FUNCTION contractors_policy_version_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT published_by_transaction FROM contractors_eligibilitypolicyversion
        WHERE id = NEW.version_id) IS DISTINCT FROM pg_current_xact_id()
    THEN
        RAISE EXCEPTION 'policy version % is published: publish the next one', NEW.version_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER contractors_policy_version_sealed BEFORE INSERT ON contractors_eligibilityrow
    FOR EACH ROW EXECUTE FUNCTION contractors_policy_version_sealed();
"""

SEALED_BACK = """
DROP TRIGGER contractors_policy_version_sealed ON contractors_eligibilityrow;
DROP FUNCTION contractors_policy_version_sealed();
ALTER TABLE contractors_eligibilitypolicyversion DROP COLUMN published_by_transaction;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("contractors", "0002_restrictions"),
        ("events", "0002_append_only"),
    ]

    operations = [
        migrations.RunSQL(RESIDENCE, RESIDENCE_BACK),
        migrations.RunSQL(SEALED, SEALED_BACK),
        append_only("contractors_eligibilitypolicyversion"),
        append_only("contractors_eligibilityrow"),
    ]
