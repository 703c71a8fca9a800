"""SQL that makes a table append-only. Used by the migrations of the tables that must be."""

from __future__ import annotations

from django.db import migrations

REFUSE_CHANGE = """
CREATE OR REPLACE FUNCTION platform_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Only a test database may be flushed between tests (setting platform.allow_truncate).
    IF TG_OP = 'TRUNCATE' AND current_setting('platform.allow_truncate', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
"""


def refuse_change_function() -> migrations.RunSQL:
    """The trigger function itself; run once, by the lowest floor."""
    return migrations.RunSQL(
        REFUSE_CHANGE, "DROP FUNCTION IF EXISTS platform_refuse_change() CASCADE"
    )


def append_only(table: str) -> migrations.RunSQL:
    """Refuse UPDATE, DELETE and TRUNCATE on `table`."""
    return migrations.RunSQL(
        f"""
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION platform_refuse_change();
        CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION platform_refuse_change();
        """,
        f"""
        DROP TRIGGER {table}_append_only ON {table};
        DROP TRIGGER {table}_no_truncate ON {table};
        """,
    )
