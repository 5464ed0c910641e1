"""Explanations and interpretability"""
