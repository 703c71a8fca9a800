"""PostgreSQL and Valkey from Python wheels, and the supervisor behind `make run`.

For one machine and for tests; production brings its own services (docs/operating.md). Nothing
here imports Django: the tests start these services before the settings are read.
"""
