"""Topology

Hypergraphs, simplices, sheaves, categories.
"""
