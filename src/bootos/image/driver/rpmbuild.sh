#!/bin/sh
# Run in a mount namespace of its own by `build`: rpmbuild in the clean root $1, with $2 as the place for all that is
# written ($2/upper already holds root/rpmbuild). $3 is the kernel release, $4 the spec's name.
set -e
lower=$1 work=$2 release=$3 spec=$4
mkdir -p "$work/merged" "$work/work" "$work/upper/usr/local/bin" "$work/upper/usr/sbin"

# Makefiles of drivers ask which kernel runs, and mean the one they are built for.
cat > "$work/upper/usr/local/bin/uname" << END
#!/bin/sh
/usr/bin/uname "\$@" | sed "s|\$(/usr/bin/uname -r)|$release|g"
END
chmod 755 "$work/upper/usr/local/bin/uname"
# Installing into a build root ends with depmod over /lib/modules of the host, in many of them.
ln -sf /usr/bin/true "$work/upper/usr/sbin/depmod"
# Debug information makes a module ten times larger; a signature covers the whole file, which then stays as it is.
cat > "$work/upper/usr/local/bin/strip-modules" << 'END'
#!/bin/sh
find "$1" -type f \( -name '*.ko' -o -name '*.ko.new' \) | while read -r file; do
    tail -c 28 "$file" | grep -q 'Module signature appended' || strip --strip-debug "$file"
done
END
chmod 755 "$work/upper/usr/local/bin/strip-modules"

mount -t overlay -o "lowerdir=$lower,upperdir=$work/upper,workdir=$work/work" overlay "$work/merged"
mount -t proc proc "$work/merged/proc"
mount -t tmpfs -o mode=0755 dev "$work/merged/dev"
for device in null zero full random urandom; do
    touch "$work/merged/dev/$device"
    mount --bind "/dev/$device" "$work/merged/dev/$device"
done
ln -s /proc/self/fd "$work/merged/dev/fd"
exec chroot "$work/merged" /usr/bin/env -i \
    PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 TERM=dumb \
    BUILD_KERNEL="$release" KVER="$release" MAKEFLAGS="-j$(nproc)" \
    rpmbuild -bb --nodeps \
    --define "debug_package %{nil}" --define "kernel_release $release" --define "_buildhost bootos" \
    --define "__os_install_post /usr/local/bin/strip-modules %{buildroot}" \
    "/root/rpmbuild/SPECS/$spec"
