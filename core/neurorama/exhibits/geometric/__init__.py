"""Geometry

Molecules, equivariance, meshes.
"""
