"""`kexec.sh`: from any running Linux into BootOS, without firmware and loader. Rendered from the default menu. Pure.

The script is POSIX sh; it is for the root user of the running system and says what it lacks.
"""

import shlex

from bootos.server.netboot.entry import BootMenu

_SCRIPT = r"""#!/bin/sh
# Starts BootOS from a running Linux, by kexec: no firmware, no boot loader. Written by the BootOS server.
# What the running system has in memory is lost: file systems are synced, services are not stopped with --now.
#
#   curl -fO %(url)s/bootos/netboot/kexec.sh
#   sh kexec.sh [--now] [MORE KERNEL WORDS ...]
#
# Without --now the kernel is loaded, and the running system is shut down in an orderly way where systemd runs it.
# KEXEC=/path/to/kexec names the program where it is not in PATH (Debian's package: kexec-tools).
set -eu

kernel=%(kernel)s
initrd=%(initrd)s
words=%(words)s

fail() { echo "kexec.sh: $*" >&2; exit 1; }

now=
if [ "${1:-}" = --now ]; then now=1; shift; fi
[ "$(id -u)" = 0 ] || fail "must be run as root"
kexec=${KEXEC:-$(command -v kexec || echo /sbin/kexec)}
[ -x "$kexec" ] || fail "there is no kexec: apt-get install kexec-tools, or dnf install kexec-tools"
if [ "$(cat /proc/sys/kernel/kexec_load_disabled 2>/dev/null || echo 0)" = 1 ]; then
    fail "this kernel was told not to kexec (kernel.kexec_load_disabled)"
fi

# A tmpfs: nothing is written to a disk.
work=$(mktemp -d /dev/shm/bootos.XXXXXX)
trap 'rm -rf "$work"' EXIT
load() {
    echo "loading $1"
    if command -v curl > /dev/null; then curl -fsS --retry 3 -o "$2" "$1"
    elif command -v wget > /dev/null; then wget -q -O "$2" "$1"
    else fail "neither curl nor wget is here"
    fi || fail "$1 could not be loaded"
}
load "$kernel" "$work/vmlinuz"
load "$initrd" "$work/initrd.img"

# As PXE would: the card that reaches the server becomes eth0. The console stays where it is.
host=%(host)s
card=$(ip -o route get "$(getent ahostsv4 "$host" | awk '{ print $1; exit }')" 2>/dev/null |
    sed -n 's/.* dev \([^ ]*\).*/\1/p')
while [ -n "$card" ] && [ ! -e "/sys/class/net/$card/device" ]; do # a bond, bridge or VLAN: one of its cards
    card=$(ls "/sys/class/net/$card" | sed -n 's/^lower_//p' | head -n 1)
done
if [ -n "$card" ]; then
    words="$words BOOTIF=01-$(tr : - < "/sys/class/net/$card/address")"
fi
for word in $(cat /proc/cmdline); do
    case $word in console=*) case " $words " in *" $word "*) ;; *) words="$words $word" ;; esac ;; esac
done
words="$words $*"

# kexec_file_load first: the kernel checks the signature of the new one, and Secure Boot wants it so.
echo "command line: $words"
"$kexec" -s -l "$work/vmlinuz" --initrd="$work/initrd.img" --command-line="$words" ||
    "$kexec" -l "$work/vmlinuz" --initrd="$work/initrd.img" --command-line="$words" ||
    fail "the kernel could not be loaded"
rm -rf "$work"
echo "starting BootOS"
if [ -z "$now" ] && [ -d /run/systemd/system ]; then exec systemctl kexec; fi
sync
exec "$kexec" -e
"""


def render_kexec(menu: BootMenu, public_url: str) -> str:
    """The text of the script for the menu's default entry; when there is no kernel to load by URL, a script that only
    says so."""
    entry = next(item for item in menu.entries if item.name == menu.default)
    if entry.kind != "linux" or "://" not in entry.kernel or len(entry.initrds) != 1:
        return "#!/bin/sh\necho 'kexec.sh: pxelinux.cfg/default boots no kernel with one initrd by URL' >&2\nexit 1\n"
    host = public_url.partition("://")[2].partition("/")[0]
    host = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return _SCRIPT % {
        "url": public_url,
        "kernel": shlex.quote(entry.kernel),
        "initrd": shlex.quote(entry.initrds[0]),
        "words": shlex.quote(entry.arguments),
        "host": shlex.quote(host),
    }
