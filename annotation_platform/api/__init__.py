"""What every endpoint shares: problems, permissions, pages, idempotency keys."""
