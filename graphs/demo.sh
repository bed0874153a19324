#!/bin/sh
# The demonstration of `make run`: 20 simulated meters on a pseudo-terminal, a head-end that receives the
# reports, and the gateway between them. Ctrl-C ends all of it; what was read stays in data/.
#
# Usage: graphs/demo.sh PROGRAM [OPTIONS of `meterloom run`]
set -eu
program=$1
shift
here=$(dirname "$0")
mkdir -p -m 700 data
rm -f data/bus

# In a group of its own: Ctrl-C ends the gateway first.
setsid "$program" sim --meters 20 --pty --link data/bus --baud 38400 \
	--head-end 127.0.0.1:8081 --head-end-directory data/head-end &
sim=$!
trap 'kill "$sim" 2>/dev/null || true; wait "$sim" 2>/dev/null || true' EXIT
trap 'exit 0' INT
trap 'exit 143' TERM

# The meter list of the simulated bus, as a command that is called at the start.
{
	printf 'meter.import {"csv": "'
	"$program" sim --meters 20 --baud 38400 --list - |
		sed 's/\r$//; s/\\/\\\\/g; s/"/\\"/g' | awk '{printf "%s\\n", $0}'
	printf '"}\n'
} >data/demo.start

tries=0
until [ -e data/bus ]; do
	tries=$((tries + 1))
	if [ "$tries" -gt 100 ] || ! kill -0 "$sim" 2>/dev/null; then
		echo "the simulated bus did not start" >&2
		exit 1
	fi
	sleep 0.05
done
sleep 0.1 # a port that is taken ends it at once
kill -0 "$sim" 2>/dev/null || exit 1

"$program" run "$here/demo.json" --data data --script data/demo.start "$@"
