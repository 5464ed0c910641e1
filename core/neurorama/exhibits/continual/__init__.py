"""Continual learning

Learn the new without losing the old: springs on weights, masks, replay and networks that write networks.
"""
