"""The shell: observes through kopf and an own informer, asks the core, and writes. No rule of the design lives here."""
