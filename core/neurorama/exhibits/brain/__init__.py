"""Brain-inspired

Spikes, predictions and local rules: learning as neurons might do it, without sending errors backwards.
"""
