#!/bin/sh
# Measures package dnsmx against unbound (recursive) and nsd (authoritative) on
# loopback, beside dnsperf against the same resolver. Everything is started here
# with its own configuration and ports, in a directory that is removed, and
# stopped at the end. Environment: N domains (200000), KEEP=1 keeps the directory,
# QUICK=1 leaves out the table of concurrency settings (SETTINGS), VERBOSE=1 shows
# the first run on its way.
set -eu
cd "$(dirname "$0")"
missing=
for c in nsd nsd-control unbound dnsperf; do
	PATH=$PATH:/usr/sbin command -v $c >/dev/null || missing="$missing $c"
done
if [ -n "$missing" ]; then
	echo "bench-dns: missing:$missing" >&2
	echo "bench-dns: on Debian: apt-get install nsd unbound dnsperf (and stop the services: systemctl disable --now nsd unbound)" >&2
	exit 1
fi
PATH=$PATH:/usr/sbin
N=${N:-200000}
AUTH=${AUTH:-5301}
REC=${REC:-5302}
dir=$(mktemp -d)
nsd= unbound=
stop() {
	[ -z "$unbound" ] || kill "$unbound" 2>/dev/null || true
	[ -z "$nsd" ] || kill "$nsd" 2>/dev/null || true
	wait 2>/dev/null || true
	[ -n "${KEEP:-}" ] || rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

go build -o "$dir/bench" .
"$dir/bench" gen "$dir" "$N"
cat >"$dir/nsd.conf" <<END
server:
	ip-address: 127.0.0.1@$AUTH
	username: ""
	zonesdir: "$dir"
	database: ""
	pidfile: "$dir/nsd.pid"
	xfrdfile: "$dir/xfrd.state"
	zonelistfile: "$dir/zone.list"
	logfile: "$dir/nsd.log"
	server-count: 1
	receive-buffer-size: 4194304
	rrl-ratelimit: 0
remote-control:
	control-enable: no
zone:
	name: com
	zonefile: com.zone
END
cat >"$dir/unbound.conf" <<END
server:
	interface: 127.0.0.1
	port: $REC
	username: ""
	chroot: ""
	directory: "$dir"
	pidfile: "$dir/unbound.pid"
	use-syslog: no
	logfile: "$dir/unbound.log"
	do-daemonize: no
	do-not-query-localhost: no
	udp-connect: no
	module-config: "iterator"
	num-threads: 1
	so-rcvbuf: 0
	so-sndbuf: 0
	msg-cache-size: 256m
	rrset-cache-size: 512m
remote-control:
	control-enable: no
stub-zone:
	name: com
	stub-addr: 127.0.0.1@$AUTH
END
nsd -d -c "$dir/nsd.conf" 2>"$dir/nsd.err" &
nsd=$!
cold() {
	if [ -n "$unbound" ]; then kill "$unbound"; wait "$unbound" 2>/dev/null || true; fi
	unbound -d -c "$dir/unbound.conf" 2>"$dir/unbound.err" &
	unbound=$!
	i=0
	until echo "gmail.com MX" | dnsperf -s 127.0.0.1 -p "$REC" -n 1 2>/dev/null | grep -q "NOERROR 1 "; do
		i=$((i + 1))
		[ $i -lt 50 ] || { echo "bench-dns: unbound does not answer:" >&2; cat "$dir/unbound.err" "$dir/unbound.log" "$dir/nsd.err" >&2; exit 1; }
		sleep 0.2
	done
}
perf() { dnsperf -s 127.0.0.1 -p "$REC" -d "$dir/dnsperf.txt" -n 1 "$@" 2>&1 | awk '/Queries lost/{l=$3} /Run time/{t=$4} /Queries per second/{q=$4} END{printf "wall=%.2fs queries/s=%.0f lost=%s\n", t, q, l}'; }
ask() { "$dir/bench" run ${VERBOSE:+-v} "$@" "$dir/names.txt" "127.0.0.1:$REC"; }

failed=0
echo "== cold resolver, $N domains, 0.5% dead, 1% SERVFAIL"
cold
printf 'dnsmx              '
ask || failed=1
if [ -z "${QUICK:-}" ]; then
	for c in ${SETTINGS:-50 100 200 500 5000 20000}; do
		cold
		printf 'dnsmx %-12s ' "-c $c"
		ask -concurrency "$c" || failed=1
	done
	for q in 100; do
		cold
		printf 'dnsperf %-10s ' "-q $q"
		perf -q "$q" -t 5
	done
fi
echo "== warm resolver"
# The names that never resolve would measure timeouts: they are left out here.
grep -v ' unknown' "$dir/names.txt" >"$dir/warm.txt"
sed 's/ .*/ MX/' "$dir/warm.txt" >"$dir/dnsperf.txt"
mv "$dir/warm.txt" "$dir/names.txt"
ask >/dev/null || failed=1
for i in 1 2 3; do
	printf 'dnsperf            '
	perf -q 500 -c 4 | tee "$dir/perf.$i"
	printf 'dnsmx              '
	ask | tee "$dir/ask.$i" || failed=1
done
sed -n 's/.*queries\/s=\([0-9]*\).*/\1/p' "$dir"/perf.? | sort -n | sed -n 2p >"$dir/p"
sed -n 's/.*queries\/s=\([0-9]*\).*/\1/p' "$dir"/ask.? | sort -n | sed -n 2p >"$dir/a"
awk -v p="$(cat "$dir/p")" -v a="$(cat "$dir/a")" 'BEGIN{printf "== dnsmx/dnsperf queries per second, medians: %.2f (goal 0.40)\n", a/p}'
exit $failed
