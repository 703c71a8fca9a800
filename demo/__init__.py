"""A platform to look at: demo people, a demo project, and the main story played over the API."""
