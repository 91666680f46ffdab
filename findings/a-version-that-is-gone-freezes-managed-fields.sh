#!/usr/bin/env bash
# kube-apiserver 1.37.2 with etcd 3.7.3; a CustomResourceDefinition with two versions and no conversion, of which the former
# is taken away as documented: stored by nobody, not in status.storedVersions.
#
# That a server-side apply then fails for an object whose managedFields still name the former version is known
# (kubernetes#111937). One would guess that all else goes on: other requests succeed, and each is recorded under its own
# manager in the version that is there. They succeed, but from then on none is recorded, of any manager: the object's
# managedFields stay as they were, times included, while its fields change hands. The API server says so in its own log
# alone (and there at most once a second). Whoever asks managedFields who wrote a field, or when somebody wrote last, is
# told what was once true.
#
# Seen, managers of an object made in v1 by "first", patched in v2 by "second" once v1 was gone: first. Of one made in v2 at
# that time and patched alike: first second.
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

version() { # name, stored
  printf '{"name": "%s", "served": true, "storage": %s, "schema": {"openAPIV3Schema": {"type": "object",
    "x-kubernetes-preserve-unknown-fields": true}}}' "$@"
}
definition() { # versions
  printf '{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name":
    "things.seen.example"}, "spec": {"group": "seen.example", "scope": "Namespaced", "names": {"plural": "things",
    "kind": "Thing"}, "versions": [%s]}}' "$1"
}
definitions=/apis/apiextensions.k8s.io/v1/customresourcedefinitions
things() { echo "/apis/seen.example/$1/namespaces/default/things${2:-}"; }
make() { # version, name
  ask POST "$(things "$1" "?fieldManager=first")" '{"apiVersion": "seen.example/'"$1"'", "kind": "Thing",
    "metadata": {"name": "'"$2"'"}, "spec": {"size": 1}}' >/dev/null
}
change() { # name
  curl --silent --fail --insecure --header 'Authorization: Bearer token' --request PATCH --data '{"spec": {"size": 2}}' \
    --header 'Content-Type: application/merge-patch+json' \
    "https://127.0.0.1:$api$(things v2 "/$1?fieldManager=second")" >/dev/null
}
read_fields() { # name
  ask GET "$(things v2 "/$1")" | python3 -c '
import json, sys
thing = json.load(sys.stdin)
print("size", thing["spec"]["size"], "managers", *sorted(entry["manager"] for entry in thing["metadata"]["managedFields"]))'
}
ask POST "$definitions" "$(definition "$(version v1 false), $(version v2 true)")" >/dev/null
until_it_answers "$(things v1)"
make v1 old
curl --silent --fail --insecure --header 'Authorization: Bearer token' --request PATCH \
  --header 'Content-Type: application/merge-patch+json' --data '{"spec": {"versions": ['"$(version v2 true)"']}}' \
  "https://127.0.0.1:$api$definitions/things.seen.example" >/dev/null
for _ in $(seq 120); do ask GET "$(things v1)" >/dev/null || break; sleep 0.5; done
until_it_answers "$(things v2)"
make v2 new
change old
change new
old=$(read_fields old) new=$(read_fields new)
echo "made in v1, patched in v2 after v1 was taken away: $old"
echo "made in v2, patched in v2:                         $new"
[ "$old" = "size 2 managers first" ]
[ "$new" = "size 2 managers first second" ]
echo "as described"
