"""The evaluation's store: settings, calls, attempts and answers in SQLite, the answers as text files too."""
