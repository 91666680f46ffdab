"""Job controllers of other projects beside a cluster: JobSet, Kueue, LWS, Kubeflow's Trainer and training operator."""
