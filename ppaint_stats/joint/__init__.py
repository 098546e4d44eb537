"""The joint model of ratings and preferences: its arrays, its parameters, sampling, and what follows from draws."""
