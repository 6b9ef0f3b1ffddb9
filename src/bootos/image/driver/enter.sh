#!/bin/sh
# Run in a mount namespace of its own by `enter`: the clean root $1, with $2 as the place for all that is written
# ($2/upper may already hold files); the rest is the command.
set -e
lower=$1 work=$2
shift 2
mkdir -p "$work/merged" "$work/work" "$work/upper"
mount -t overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" overlay "$work/merged"
mount -t proc proc "$work/merged/proc"
mount -t tmpfs -o mode=0755 dev "$work/merged/dev"
for device in null zero full random urandom tty; do
    touch "$work/merged/dev/$device"
    mount --bind "/dev/$device" "$work/merged/dev/$device"
done
mkdir "$work/merged/dev/pts"
mount --bind /dev/pts "$work/merged/dev/pts"
ln -s /proc/self/fd "$work/merged/dev/fd"
exec chroot "$work/merged" "$@"
