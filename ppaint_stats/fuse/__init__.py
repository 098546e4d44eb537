"""Fusions: one public function per method, each from a study to a Fusion."""
