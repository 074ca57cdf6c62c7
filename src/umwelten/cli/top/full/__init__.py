"""The screens that need Textual (`umwelten[ui]`)."""
