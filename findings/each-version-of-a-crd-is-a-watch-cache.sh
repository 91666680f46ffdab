#!/usr/bin/env bash
# kube-apiserver 1.37.2 with etcd 3.7.3; a CustomResourceDefinition with two versions and no conversion.
#
# One would guess that the versions of one resource share what the API server keeps of it, which is one set of objects in
# etcd, and that a version which is not served costs nothing. Each version in the definition has a watch cache of its own,
# with a watch of etcd of its own, whether anybody speaks that version or not, and served or not. So every write is received
# and decoded twice. What helps is to take the version out of the definition.
#
# Seen, after ten objects were made, all in the same version: events received by watch caches: 10 with one version, 20 with
# two, 20 with two of which one is not served.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill -9 $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

build() { # name, package, version, what is to be in the go.mod first
  mkdir "$folder/$1.module"
  cd "$folder/$1.module"
  go mod init seen.example/"$1"
  "$4"
  go get "$2@$3"
  go build -ldflags "-X k8s.io/component-base/version.gitVersion=$3" -o "$folder/$1" "$2"
  cd - >/dev/null
}
staging_modules() { # Kubernetes asks for them at v0.0.0: each one at the release's own tag
  go mod download -json k8s.io/kubernetes@v1.37.2 | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p' | xargs cat |
    sed -n 's#^\t\(k8s\.io/[a-z-]*\) => \./staging.*#-replace=\1=\1@v0.37.2#p' | xargs go mod edit
}
build etcd go.etcd.io/etcd/server/v3 v3.7.3 true >"$folder/log" 2>&1 || { cat "$folder/log" >&2; exit 1; }
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver v1.37.2 staging_modules >"$folder/log" 2>&1 ||
  { cat "$folder/log" >&2; exit 1; }

read -r etcd api < <(python3 -c '
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in held))')
"$folder/etcd" --data-dir="$folder/data" --listen-client-urls="http://127.0.0.1:$etcd" \
  --advertise-client-urls="http://127.0.0.1:$etcd" --listen-peer-urls=http://127.0.0.1:0 2>"$folder/etcd.log" &
echo 'token,admin,admin,system:masters' >"$folder/tokens"
openssl genrsa -out "$folder/key" 2048 2>"$folder/log"
"$folder/kube-apiserver" --etcd-servers="http://127.0.0.1:$etcd" --secure-port="$api" --bind-address=127.0.0.1 \
  --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --cert-dir="$folder/certificates" \
  --service-cluster-ip-range=10.0.0.0/24 --service-account-issuer=https://seen.example \
  --service-account-key-file="$folder/key" --service-account-signing-key-file="$folder/key" \
  --token-auth-file="$folder/tokens" 2>"$folder/api.log" &
ask() { # method, path, body
  curl --silent --fail --insecure --header 'Authorization: Bearer token' --header 'Content-Type: application/json' \
    --request "$1" "https://127.0.0.1:$api$2" ${3:+--data "$3"}
}
until_it_answers() { for _ in $(seq 120); do ask GET "$1" >/dev/null && return; sleep 0.5; done; cat "$folder/api.log" >&2; exit 1; }
until_it_answers /api/v1/namespaces/default

version() { # name, served, stored
  printf '{"name": "%s", "served": %s, "storage": %s, "schema": {"openAPIV3Schema": {"type": "object"}}}' "$@"
}
seen() { # plural, versions
  ask POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions '{"apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition", "metadata": {"name": "'"$1"'.seen.example"}, "spec": {"group": "seen.example",
    "scope": "Namespaced", "names": {"plural": "'"$1"'", "kind": "K'"$1"'"}, "versions": ['"$2"']}}' >/dev/null
  until_it_answers "/apis/seen.example/v1/namespaces/default/$1"
  for number in $(seq 10); do
    ask POST "/apis/seen.example/v1/namespaces/default/$1" \
      '{"apiVersion": "seen.example/v1", "kind": "K'"$1"'", "metadata": {"name": "n'"$number"'"}}' >/dev/null
  done
  sleep 3 # the caches watch
  ask GET /metrics >"$folder/metrics"
  sed -n 's/^apiserver_watch_cache_events_received_total{group="seen.example",resource="'"$1"'"} //p' "$folder/metrics"
}
one=$(seen ones "$(version v1 true true)")
two=$(seen twos "$(version v1 true true), $(version v2 true false)")
unserved=$(seen halves "$(version v1 true false), $(version v2 false true)")
echo "events received: one version $one, two $two, two of which one is not served $unserved"
[ "$one $two $unserved" = "10 20 20" ]
echo "as described"
