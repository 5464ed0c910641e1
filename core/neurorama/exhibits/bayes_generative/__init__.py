"""Bayesian and generative

From noise to pictures, from samples to beliefs: diffusion, neural processes, flows and causes.
"""
