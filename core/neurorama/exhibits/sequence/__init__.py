"""Sequences

How does a network remember the beginning when it reads the end? Recurrence, state spaces, linear attention and long
convolutions, side by side.
"""
