"""The launcher that lets workers live through rounds: `kube-rendezvous run --keep-survivors`."""
