"""Geometry

Molecules, meshes and moving bodies: turn the world, and the prediction should turn with it.
"""
