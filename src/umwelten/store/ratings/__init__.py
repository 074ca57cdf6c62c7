"""What people say of an evaluation's answers, in a database beside it."""
