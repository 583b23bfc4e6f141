"""What every training shares, whatever the network: checkpoints, callbacks, samplers, distributed processes."""
