"""Job controllers of other projects beside a cluster: JobSet, Kueue, Kubeflow Trainer, LeaderWorkerSet."""
