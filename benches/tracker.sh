#!/usr/bin/env bash
# Announces per second and CPU time per announce of our tracker (the example
# `tracker`, the same code as `overlab tracker`) beside opentracker, then bytes per peer at a million peers. The tracker has one core,
# the load the other. Needs: opentracker, wrk (apt-get install opentracker wrk).
# Usage: benches/tracker.sh [RUNS [SECONDS]]
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${1:-5}
seconds=${2:-5}
for program in opentracker wrk taskset; do
  command -v "$program" > /dev/null || {
    echo "$program is missing: apt-get install opentracker wrk util-linux" >&2
    exit 1
  }
done
cargo build --release --quiet -p transfer-host --examples
target=${CARGO_TARGET_DIR:-target}/release
folder=$(mktemp -d)
pid=
trap '[[ -z $pid ]] || kill "$pid" 2> /dev/null; rm -rf "$folder"' EXIT
chmod 755 "$folder"
for n in $(seq 1000); do printf '%020d' "$n" | od -An -tx1 | tr -d ' \n'; echo; done > "$folder/torrents"

start() { # NAME PORT
  local name=$1 port=$2
  case $name in
    opentracker)
      taskset -c 0 opentracker -i 127.0.0.1 -p "$port" -P "$port" \
        -w "$folder/torrents" > "$folder/log" 2>&1 &
      ;;
    overlab)
      taskset -c 0 "$target/examples/tracker" "127.0.0.1:$port" lab > "$folder/log" 2>&1 &
      ;;
  esac
  pid=$!
  for _ in $(seq 100); do
    sleep 0.05
    (: > "/dev/tcp/127.0.0.1/$port") 2> /dev/null && return
  done
  cat "$folder/log" >&2
  exit 1
}

stop() {
  kill "$pid"
  wait "$pid" 2> /dev/null || true
  pid=
}

cpu_ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

measure() { # LABEL NAME KIND
  local label=$1 name=$2 kind=$3 port=16969 rates='' costs=''
  for _ in $(seq "$runs"); do
    start "$name" "$port"
    local before after count rate
    before=$(cpu_ticks)
    if [[ $kind == udp ]]; then
      read -r count rate < <(taskset -c 1 "$target/examples/udp_announces" "127.0.0.1:$port" \
        "$seconds" 0 1000 | awk '{ print $4, $(NF - 1) }')
    else
      local header=()
      [[ $kind == close ]] && header=(-H 'Connection: close')
      read -r count rate < <(taskset -c 1 wrk -t1 -c64 -d"${seconds}s" "${header[@]}" \
        -s benches/tracker.lua "http://127.0.0.1:$port" |
        awk '/requests in/ { n = $1 } /Requests\/sec/ { r = $2 } END { print n, r }')
    fi
    after=$(cpu_ticks)
    stop
    rates+="$rate"$'\n'
    costs+=$(awk -v t=$((after - before)) -v n="$count" 'BEGIN { printf "%.2f", t * 10000 / n }')$'\n'
    port=$((port + 1))
  done
  printf '%-44s %10.0f announces/s %7.2f us CPU each\n' "$label" \
    "$(printf '%s' "$rates" | median)" "$(printf '%s' "$costs" | median)"
}

memory() { # TORRENTS
  start overlab 16990
  local before after
  before=$(resident_kib)
  taskset -c 1 "$target/examples/udp_announces" 127.0.0.1:16990 60 1000000 "$1" > "$folder/load"
  after=$(resident_kib)
  local peers
  peers=$(curl -s http://127.0.0.1:16990/metrics | awk '/^overlab_tracker_peers.*ipv4/ { print $2 }')
  stop
  printf 'memory: %s peers of %s torrents: %.0f MiB, %.1f bytes per peer\n' "$peers" "$1" \
    "$(awk -v k=$((after - before)) 'BEGIN { print k / 1024 }')" \
    "$(awk -v k=$((after - before)) -v n="$peers" 'BEGIN { print k * 1024 / n }')"
}

echo "medians of $runs runs of $seconds s"
measure 'HTTP, a connection each: opentracker' opentracker close
measure 'HTTP, a connection each: overlab' overlab close
measure 'HTTP, keep-alive: overlab' overlab keep
measure 'UDP: opentracker' opentracker udp
measure 'UDP: overlab' overlab udp
for torrents in 1 10000 1000000; do memory "$torrents"; done
