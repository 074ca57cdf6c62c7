"""Inputs that a Python program gives: rows of values, texts and bytes, kept in the evaluation's folder.

They are taken from the program one by one and written to disk as they come, so that memory does not grow with
them, and whoever resumes the evaluation finds what calls were about.
"""
