from django.db import migrations

# People agreed to it and work was made under it: a published version stays what it was.
SEALED = """
CREATE FUNCTION tasks_guideline_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'guideline % is published: % refused', OLD.id, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER tasks_guideline_sealed BEFORE UPDATE OR DELETE ON tasks_guideline
    FOR EACH ROW WHEN (OLD.published_at IS NOT NULL) EXECUTE FUNCTION tasks_guideline_sealed();
"""

OPEN = """
DROP TRIGGER tasks_guideline_sealed ON tasks_guideline;
DROP FUNCTION tasks_guideline_sealed();
"""


class Migration(migrations.Migration):
    dependencies = [("tasks", "0006_activity")]

    operations = [migrations.RunSQL(SEALED, OPEN)]
