"""Statements for the two or three calls where a cursor costs more than the database does.

psycopg's cursor finds out anew at each call which types its arguments and columns have. For a claim
that is a third of the web server's work (docs/performance.md). A `Prepared` statement is prepared
once on each connection and run through psycopg's `pq`, which is libpq itself: text in, text out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from django.db import OperationalError, connection
from psycopg import errors
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

_NO_SUCH_STATEMENT = b"26000"


class Prepared:
    """One statement with `$1`, `$2`, … for the default database.

    Arguments:
        name: of the statement on the server, ours alone.
        text: what the server reads; the types of its parameters must follow from it.
    """

    def __init__(self, name: str, text: str) -> None:
        self._name = name.encode()
        self._text = text.encode()
        # On the connection itself: a new one has to prepare again.
        self._mark = f"prepared_{name}"

    def row(self, parameters: Sequence[bytes]) -> list[bytes | None] | None:
        """Run it; the first row as the server's text, None when there is none.

        Outside of a transaction it is one of its own. No health check comes before it: raises
        `OperationalError` when the connection was lost, and the next call opens another.
        """
        connection.ensure_connection()
        raw: PGconn = connection.connection.pgconn
        if connection.in_atomic_block:
            result = _in_transaction(raw, self._text, parameters)
        else:
            result = self._alone(raw, parameters)
        if connection.queries_logged:
            connection.queries_log.append({"sql": self._text.decode(), "time": "0"})
        if result.status != ExecStatus.TUPLES_OK:
            _fail(raw, result)
        if result.ntuples == 0:
            return None
        return [result.get_value(0, column) for column in range(result.nfields)]

    def _alone(self, raw: PGconn, parameters: Sequence[bytes]) -> PGresult:
        if getattr(connection.connection, self._mark, False):
            result = raw.exec_prepared(self._name, parameters)
            if result.error_field(DiagnosticField.SQLSTATE) != _NO_SUCH_STATEMENT:
                return result
            # psycopg forgets all of a connection's statements, ours too, when it rolls back.
        prepared = raw.prepare(self._name, self._text, None)
        if prepared.status != ExecStatus.COMMAND_OK:
            return prepared
        setattr(connection.connection, self._mark, True)
        return raw.exec_prepared(self._name, parameters)


def _in_transaction(raw: PGconn, text: bytes, parameters: Sequence[bytes]) -> PGresult:
    # Not prepared: a name that the server has forgotten would be the end of the transaction.
    if raw.transaction_status == TransactionStatus.IDLE:
        # psycopg begins a transaction with the first statement that it sends itself.
        with connection.cursor() as cursor:
            cursor.execute("SELECT")
    return raw.exec_params(text, parameters)


def _fail(raw: PGconn, result: PGresult) -> NoReturn:
    if raw.transaction_status == TransactionStatus.UNKNOWN:
        connection.close()
        raise OperationalError("The connection to the database was lost.")
    with connection.wrap_database_errors:
        raise errors.error_from_result(result)
