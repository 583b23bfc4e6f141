"""Runs in the forms that other platforms take: ONNX files, a MONAI bundle."""
