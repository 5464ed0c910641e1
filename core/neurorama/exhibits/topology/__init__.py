"""Topology

Beyond edges between two: hypergraphs, triangles, sheaves and holes, and the categories that describe networks
themselves.
"""
