"""Reasoning

Logic, algorithms, knowledge graphs and puzzles: can a network learn to think in steps, and on problems larger than
those it has seen?
"""
