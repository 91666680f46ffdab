"""Who is a member, and who is lost."""
