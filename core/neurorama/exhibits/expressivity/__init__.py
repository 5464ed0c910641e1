"""Expressivity

Two graphs look alike to a network although they differ. Watch where colour refinement goes blind, and what sees
more: subgraphs, random features, higher orders, positions.
"""
