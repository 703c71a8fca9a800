"""HTTP of people: sign-in, one's own account, and what managers do."""
