"""What the pages share: the address, the runs, the knobs, the stage, badges and cards."""
