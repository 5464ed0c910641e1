"""Experts and modules

Many specialists and someone who decides whom to ask: mixtures of experts, adapters and parts that fit together.
"""
