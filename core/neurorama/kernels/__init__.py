"""Compute kernels, one file each; they know nothing of the rest of neurorama."""
