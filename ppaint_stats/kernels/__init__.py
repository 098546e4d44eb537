"""Numerical kernels: NumPy arrays in, NumPy arrays out; they know no data frames and no studies."""
