"""The pages. They read through queries and write through one service call each."""
