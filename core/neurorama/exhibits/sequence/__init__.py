"""Sequences

Recurrent nets, state spaces, linear attention, long convolutions, time series.
"""
