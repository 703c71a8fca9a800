"""Pictures of every page in every state, taken from a demo that is made for them."""
