module kube-rendezvous.local/pause

go 1.26.0
