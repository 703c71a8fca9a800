"""A name for each person that no restored backup gives to somebody else."""

import django.contrib.postgres.functions
from django.db import migrations, models

FIXED = """
CREATE FUNCTION contractors_keep_public_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'contractor %: the public id never changes', OLD.user_id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER contractor_public_id_never_changes BEFORE UPDATE ON contractors_contractor
    FOR EACH ROW WHEN (NEW.public_id IS DISTINCT FROM OLD.public_id)
    EXECUTE FUNCTION contractors_keep_public_id();
"""
FIXED_BACK = """
DROP TRIGGER contractor_public_id_never_changes ON contractors_contractor;
DROP FUNCTION contractors_keep_public_id();
"""


class Migration(migrations.Migration):
    dependencies = [("contractors", "0004_verdict")]

    operations = [
        migrations.AddField(
            model_name="contractor",
            name="public_id",
            field=models.UUIDField(
                unique=True,
                editable=False,
                db_default=django.contrib.postgres.functions.RandomUUID(),
                help_text="Names this person outside of the database; never changes (trigger), and unlike a row number it is never given to somebody else after a backup was restored.",
            ),
        ),
        migrations.RunSQL(FIXED, FIXED_BACK),
    ]
