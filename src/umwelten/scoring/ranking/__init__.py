"""Rankings: which answers judges prefer, two at a time, and how sure the order is that follows.

Pure, as all of `umwelten.scoring`: which pairs are drawn (`draw`), what a judge is asked about two answers
(`question`) and what it replies (`reply`), what its verdicts amount to (`comparison`), strengths and ranks
(`fit`), and how far the judge can be relied on (`diagnostics`). What is shown of all that is a `Ranking`.
"""
