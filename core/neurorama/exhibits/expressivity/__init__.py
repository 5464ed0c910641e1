"""Expressivity

Colour refinement, subgraphs, higher order, positional encodings, pooling.
"""
