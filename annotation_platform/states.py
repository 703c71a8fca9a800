"""State machines as data: the database refuses every other move (`only_moves`), and
`docs/states.md` is drawn from them.

Each app lists its own in `transitions.py` as `MACHINES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps
from django.db import migrations

NEW = ""  # the state of a row that does not exist yet


@dataclass(frozen=True)
class Transition:
    """One allowed move. `by` is who causes it, `when` the condition in words."""

    source: str
    target: str
    by: str
    when: str


@dataclass(frozen=True)
class Machine:
    """The life of one kind of row.

    Arguments:
        name: what people call the row, `Assignment`.
        meaning: one sentence.
        states: each state with what it means, in the order of a life.
        transitions: every move there is.
    """

    name: str
    meaning: str
    states: dict[str, str]
    transitions: tuple[Transition, ...]

    @property
    def moves(self) -> list[tuple[str, str]]:
        """(from, to) of every move between existing states, each once, sorted."""
        return sorted({(t.source, t.target) for t in self.transitions if t.source != NEW})


def machines() -> Iterator[Machine]:
    """Every machine of every installed app, from the lower floors up."""
    for config in apps.get_app_configs():
        if find_spec(f"{config.name}.transitions"):
            yield from import_module(f"{config.name}.transitions").MACHINES


def only_moves(table: str, moves: Sequence[tuple[str, str]]) -> migrations.RunSQL:
    """Migration step: the database refuses any change of `state` that is not one of `moves`.

    Give the moves literally, so that an old migration stays what it was; a test compares what the
    database has with the machine in the code.
    """
    pairs = ", ".join(f"'{source}>{target}'" for source, target in moves)
    return migrations.RunSQL(
        f"""
        CREATE OR REPLACE FUNCTION {table}_only_moves() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.state || '>' || NEW.state <> ALL (ARRAY[{pairs}]) THEN
                RAISE EXCEPTION '{table}: % to % is not a move', OLD.state, NEW.state
                    USING ERRCODE = 'check_violation', CONSTRAINT = '{table}_only_moves';
            END IF;
            RETURN NEW;
        END $$;
        DROP TRIGGER IF EXISTS {table}_only_moves ON {table};
        CREATE TRIGGER {table}_only_moves BEFORE UPDATE OF state ON {table}
            FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state)
            EXECUTE FUNCTION {table}_only_moves();
        """,
        f"DROP TRIGGER {table}_only_moves ON {table}; DROP FUNCTION {table}_only_moves();",
    )


def as_markdown() -> str:
    """All machines as one Markdown page: a Mermaid diagram and two tables each."""
    parts = [
        "# States",
        "",
        "Drawn from the code by `python manage.py draw_states`; a test keeps the two equal.",
        "Every move is a service: it takes the row locks in the one order, writes an event in the",
        "same transaction, and is refused with a named problem otherwise.",
    ]
    for machine in machines():
        parts += ["", f"## {machine.name}", "", machine.meaning, "", *_diagram(machine), ""]
        parts += ["| state | means |", "|---|---|"]
        parts += [f"| `{state}` | {meaning} |" for state, meaning in machine.states.items()]
        parts += ["", "| from | to | by | when |", "|---|---|---|---|"]
        parts += [
            f"| {f'`{t.source}`' if t.source else 'new'} | `{t.target}` | {t.by} | {t.when} |"
            for t in machine.transitions
        ]
    return "\n".join(parts) + "\n"


def _diagram(machine: Machine) -> Iterator[str]:
    yield "```mermaid"
    yield "stateDiagram-v2"
    for t in machine.transitions:
        yield f"    {t.source or '[*]'} --> {t.target}"
    sources = {t.source for t in machine.transitions}
    for state in machine.states:
        if state not in sources:
            yield f"    {state} --> [*]"
    yield "```"
