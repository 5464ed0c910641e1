"""Recommendation and tables

What will you like next? Who clicks with whom, which columns of a table belong together, and how little machinery is
enough.
"""
