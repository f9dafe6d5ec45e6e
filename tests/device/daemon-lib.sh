# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# A daemon under test: start_daemon LOG CONDITION COMMAND..., stop_daemon. One at a time.

daemon_pid=

# Starts the command and waits until CONDITION holds.
start_daemon() {
    local log=$1 condition=$2
    shift 2
    daemon_log=$log
    "$@" >"$log" 2>&1 &
    daemon_pid=$!
    for ((tries = 0; tries < 600; tries++)); do
        "$condition" && return 0
        if ! kill -0 "$daemon_pid" 2>/dev/null; then
            wait "$daemon_pid"
            echo "$1: ended with status $? instead of serving" >&2
            daemon_pid=
            show_log "$log"
            return 1
        fi
        sleep 0.1
    done
    echo "$1: does not serve after a minute" >&2
    show_log "$log"
    return 1
}

# Ends the daemon; false if it was dead, ended with an error, or complained.
stop_daemon() {
    [ -n "$daemon_pid" ] || return 0
    local pid=$daemon_pid status good=0
    daemon_pid=
    if ! kill -TERM "$pid" 2>/dev/null; then
        echo "the daemon died" >&2
        good=1
    fi
    wait "$pid"
    status=$?
    if [ "$status" != 0 ]; then
        echo "the daemon ended with status $status" >&2
        good=1
    fi
    if grep -aE ' (error|critical) |[Aa]ssert|Sanitizer|runtime error' "$daemon_log" >&2; then
        echo "the daemon complained (above)" >&2
        good=1
    fi
    return "$good"
}

show_log() {
    echo "--- the daemon's log" >&2
    tail -n 50 "$1" >&2
}
