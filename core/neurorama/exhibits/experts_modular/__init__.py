"""Experts, routers, adapters, modules"""
