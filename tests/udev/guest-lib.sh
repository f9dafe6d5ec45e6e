# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# For scripts that run inside the guest of tests/vm/run: what a system with udev and our files in place looks like.
# The guest's root is read-only, so everything lies in /run or in a copy of /etc that is bound over it.

tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# wait_for WHAT COMMAND...: until the command succeeds; fails loudly after 30 s.
wait_for() {
    local what=$1 end=$((SECONDS + 30))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || fail "$what: not within 30 s ($*)"
        sleep 0.05
    done
}

# A writable /etc with the user and the group that sysusers makes.
make_user() {
    cp -a /etc /run/etc
    mount --bind /run/etc /etc
    sed -i '/^ipn:/d' /etc/passwd /etc/group
    systemd-sysusers "$tree/udev/sysusers.conf"
    getent passwd ipn >/dev/null || fail 'sysusers: made no user ipn'
    getent group ipn >/dev/null || fail 'sysusers: made no group ipn'
}

# A real udevd with our rule. It looks up the group when it reads the rule.
start_udevd() {
    mkdir -p /run/udev/rules.d
    cp "$tree/udev/70-ipn.rules" /run/udev/rules.d/
    /lib/systemd/systemd-udevd --daemon
    udevadm control --ping || fail 'systemd-udevd: does not answer'
}

# expect_node PATH: group, mode and tag that the rule gives.
expect_node() {
    local is
    is=$(stat -c '%F %a %G' "$1") || fail "$1: not there"
    [ "$is" = 'character special file 660 ipn' ] || fail "$1: is '$is', should be 'character special file 660 ipn'"
    udevadm info "$1" | grep -q '^E: SUBSYSTEM=cuse$' || fail "$1: udev does not know it as SUBSYSTEM=cuse"
    udevadm info "$1" | grep -q '^E: TAGS=.*:systemd:' || fail "$1: has no tag systemd"
}

# Run a command as somebody who is, or is not, a member of group ipn.
as_member() {
    setpriv --reuid=65534 --regid=65534 --groups="$(getent group ipn | cut -d: -f3)" "$@"
}

as_stranger() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

gone() {
    [ ! -e "$1" ]
}
