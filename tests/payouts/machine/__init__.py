"""The parts of the state machine of test_machine.py."""
