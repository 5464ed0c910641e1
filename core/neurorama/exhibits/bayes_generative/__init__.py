"""Bayesian and generative

Diffusion, neural processes, flows, causality.
"""
