#!/bin/sh
# Proof that a run directory is never partial and never mixed: winnow is killed,
# and told that the disk is full or broken, at one system call after the other.
# After every blow the output must be the old run, whole, or the new one, whole;
# an error must leave the old one; and the next run must end as an undisturbed
# one does, with nothing left behind.
#
#   testdata/kill.sh [--short] [path of winnow]
#
# Needs strace (Debian: apt-get install strace) and the right to trace.
set -u
short=
[ "${1:-}" = --short ] && { short=1; shift; }
winnow=$(realpath "${1:-bin/winnow}") || exit 1
[ -x "$winnow" ] || { echo "kill.sh: $winnow is not there: make build"; exit 1; }
if ! strace -o /dev/null true 2>/dev/null; then
	echo "kill.sh: SKIPPED: strace is not there or may not trace (apt-get install strace)"
	exit 0
fi
dir=$(mktemp -d "${TMPDIR:-/tmp}/winnow-kill.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
cd "$dir" || exit 1
rows=20000 big=200000 random=200
[ $short ] && { rows=300 big=20000 random=10; }

list() { # of $1 records: good ones, copies, broken ones
	awk -v n="$1" 'BEGIN { print "Name,Email"
		for (i = 1; i <= n; i++) {
			a = "person" (i % 9 == 0 ? i - 3 : i) "@firm" i % 50 ".org"
			if (i % 31 == 0) a = "not an address"
			print "\"P, " i "\"," a } }'
}
list $rows >list.csv
list $big >big.csv
awk -v n="$rows" 'BEGIN { for (i = 1; i <= n; i += 10) print "person" i "@firm" i % 50 ".org" }' >never.txt

run() { # a list, further flags: clean it into out
	l=$1; shift
	"$winnow" clean "$l" --no-dns --no-gates -q -o out "$@"
}
state() { # what can be seen in out, without the times of summary.json and the report
	if [ -e out ]; then
		for f in cleaned duplicates suppressed; do cat out/$f.csv 2>/dev/null || echo "no $f"; done | sha256sum
		[ -s out/summary.json ] || echo "no summary"
	else
		echo none
	fi
}
fail() { echo "kill.sh: FAILED: $*"; ls -la . out; exit 1; }

# The old run and the new one differ in every list.
run list.csv || fail "the first run"
old=$(state); cp -a out old
rm -r out; run list.csv --suppress never.txt || fail "the second run"
new=$(state); rm -r out
[ "$old" != "$new" ] || fail "the two runs are the same"
run big.csv || fail "the run over the big list"
bignew=$(state); rm -r out

points=0 seen_old=0 seen_new=0
# With noexchange set, renameat2 answers as on NFS, SMB and some FUSE: two directories
# cannot change places. Then a killed run may leave nothing under the name, and
# whatever runs next has to bring the old run back first, also when it fails itself.
noexchange=
# blow KIND FAULT N: strike at the Nth call of a kind, in whichever
# thread makes it, and look. Returns 1 when the run was over before.
blow() {
	rm -rf out .out.winnow-*; cp -a old out
	strace -f -qq -o trace -e trace="$1${noexchange:+,renameat2}" ${noexchange:+-e inject=renameat2:error=EINVAL} -e inject="$1:$2:when=$3" "$winnow" clean list.csv --no-dns --no-gates -q --suppress never.txt -o out >log 2>&1
	code=$?
	now=$(state)
	grep -q "[ .]$1[ (].*INJECTED\|killed by SIGKILL" trace || { [ $code = 0 ] || fail "exit $code without a blow: $(cat log)"; return 1; }
	points=$((points + 1))
	if [ $noexchange ] && [ "${2#signal}" != "$2" ]; then
		stood=$now
		(ulimit -f 8; run big.csv >log 2>&1) && fail "no error at a file size limit"
		now=$(state)
		[ "$stood" = "$now" ] || [ "$stood" = none ] || fail "$1 $2 number $3, no exchange: a failed run changed the output"
	fi
	case $now in
	"$old") seen_old=$((seen_old + 1)) ;;
	"$new") seen_new=$((seen_new + 1)) ;;
	*) fail "$1 $2 number $3: neither the old run nor the new one: $(cat log)" ;;
	esac
	struck=$2
	grep -q netpollBreak log && struck=signal # it struck the eventfd of Go's runtime, which then gives up
	case $struck in
	error*)
		[ $code = 0 ] && [ "$now" != "$new" ] && fail "$1 $2 number $3: exit 0 and the old run"
		[ $code != 0 ] && [ "$now" != "$old" ] && fail "$1 $2 number $3: exit $code and the new run: $(cat log)"
		# (A fault in write can strike the message itself.)
		[ "$1" != write ] && [ $code != 0 ] && [ "$(grep -c 'winnow: error' log)" != 1 ] && fail "$1 $2 number $3: $(cat log)"
		# An error is reported and cleared away, if clearing away is not what failed.
		[ "$1" != unlinkat ] && ls -A | grep -q '^\.out\.winnow-' && fail "$1 $2 number $3 left $(ls -A): $(cat log)"
		;;
	signal*)
		run list.csv --suppress never.txt || fail "the run after $1 $2 number $3"
		[ "$(state)" = "$new" ] || fail "the run after $1 $2 number $3 differs"
		ls -A | grep -q '^\.out\.winnow-' && fail "the run after $1 $2 number $3 left $(ls -A)"
		;;
	esac
	return 0
}
sweep() { # KIND FAULT MAX: at every call of a kind, until three in a row come too late
	late=0 n=1
	while [ $late -lt 3 ] && [ $n -le "$3" ]; do
		blow "$1" "$2" $n && late=0 || late=$((late + 1))
		n=$((n + 1))
	done
	echo "kill.sh: $1 $2${noexchange:+, no exchange}: $((n - late - 1)) points"
}

max=100000
[ $short ] && max=12
for call in renameat2 fsync mkdirat unlinkat flock write pwrite64 openat close getdents64; do
	[ $short ] && case $call in write | pwrite64 | openat | close | getdents64) continue ;; esac
	sweep $call signal=KILL $max
done
for fault in ENOSPC EIO EDQUOT; do
	for call in write fsync renameat2 mkdirat; do
		[ $short ] && [ $fault != ENOSPC ] && continue
		sweep $call error=$fault $max
	done
done
[ $short ] || for call in close unlinkat; do sweep $call error=EIO $max; done

noexchange=1
for call in renameat fsync unlinkat; do sweep $call signal=KILL $max; done
sweep renameat error=EIO $max
noexchange=

# kill -9 at any time.
i=0
while [ $i -lt $random ]; do
	i=$((i + 1))
	rm -rf out; cp -a old out
	"$winnow" clean big.csv --no-dns --no-gates -q -o out >log 2>&1 & # not run: its process would be the shell's
	pid=$!
	sleep "$(awk -v s=$i 'BEGIN { srand(s); printf "%.3f", rand() * 0.6 }')"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
	case $(state) in
	"$old") seen_old=$((seen_old + 1)) ;;
	"$bignew") seen_new=$((seen_new + 1)) ;;
	*) fail "kill -9 number $i: neither the old run nor the new one" ;;
	esac
	points=$((points + 1))
done
run big.csv || fail "the run after all that"
[ "$(state)" = "$bignew" ] || fail "the run after all that differs"
ls -A | grep -q '^\.out\.winnow-' && fail "the run after all that left $(ls -A)"

# A limit on the size of files.
rm -rf out; cp -a old out
(ulimit -f 8; run big.csv >log 2>&1) && fail "no error at a file size limit"
[ "$(state)" = "$old" ] || fail "a file size limit: the old run is gone"
grep -q 'winnow: error: .*file too large' log || fail "a file size limit: $(cat log)"
ls -A | grep -q '^\.out\.winnow-' && fail "a file size limit left $(ls -A)"

# A disk that is really full.
mkdir disk
if mount -t tmpfs -o size=600k tmpfs disk 2>/dev/null; then
	"$winnow" clean big.csv --no-dns --no-gates -q -o disk/out >log 2>&1 && fail "no error on a full disk"
	[ -z "$(ls -A disk)" ] || fail "a full disk: left $(ls -A disk)"
	umount disk
else
	echo "kill.sh: skipped: a full disk (may not mount)"
fi
echo "kill.sh: ok: $points blows, $seen_old left the old run, $seen_new the new one, none anything else"
