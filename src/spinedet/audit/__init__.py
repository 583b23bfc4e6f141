"""The audit of manifests: every fault that would hurt a training or a test, found and named, none of them the last."""
