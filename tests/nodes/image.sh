#!/bin/bash
# Builds the file tree that the real Linux nodes of the tests start from, once, and prints where it is.
#
# The tree is a small Debian with systemd, OpenSSH, sudo and iproute2, and every manager of networks that a flavour of
# nodes may take (see flavours.py); of these only systemd-networkd is enabled. It comes from the mirror that this machine's apt
# uses. The folder's name holds the hash of this script: a change here makes a new tree. KTHW_ROUTES_TEST_IMAGE names
# another folder: used as it is if it exists, else built there. With --if-built nothing is built: exit 1 where there is none.
set -euo pipefail
export LC_ALL=C.UTF-8

die() {
    echo "image.sh: $*" >&2
    exit 1
}

hash=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-12)
image=${KTHW_ROUTES_TEST_IMAGE:-${XDG_CACHE_HOME:-$HOME/.cache}/kthw-routes-tests/image-$hash}
if [[ -e $image/etc/kthw-routes-test-image ]]; then
    echo "$image"
    exit
fi
[[ ${1:-} != --if-built ]] || exit 1
[[ ! -e $image ]] || die "$image exists and is no image of this script"
[[ $(id -u) == 0 ]] || die "building the image needs root"
for program in debootstrap flock; do
    command -v "$program" >/dev/null || die "$program is not installed"
done

mkdir -p "$(dirname "$image")"
exec 9>"$image.lock"
flock 9 # another process may be building it: wait, then use what it made
if [[ -e $image/etc/kthw-routes-test-image ]]; then
    echo "$image"
    exit
fi

# The first configured archive of this distribution that is no update pocket: "URI SUITE".
. /etc/os-release
archive=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(CREATED_BY)' |
    awk -v suite="${VERSION_CODENAME:?}" '$2 == suite && $3 == "main" && $4 == "Packages" { print $1, $2; exit }')
[[ -n $archive ]] || die "apt has no archive of $VERSION_CODENAME configured"
read -r mirror suite <<<"$archive"
for scheme in http https; do
    proxy=$(apt-config shell proxy "Acquire::$scheme::Proxy" | sed "s/^proxy='\(.*\)'$/\1/")
    if [[ -n $proxy && $proxy != DIRECT ]]; then export "${scheme}_proxy=$proxy"; fi
done

rm -rf --one-file-system "$image".building.* # of a run that was killed
building=$(mktemp -d "$image.building.XXXXXX")
trap 'rm -rf --one-file-system "$building"' EXIT
chmod 755 "$building"

packages=(
    systemd systemd-sysv dbus udev      # boots like a node
    iproute2 iputils-ping nftables iptables procps
    openssh-server sudo
    netplan.io ifupdown network-manager # what else configures a network
    libpam-systemd                      # NetworkManager wants it, and debootstrap does not see that
    python3                             # Ansible needs it
    e2fsprogs attr acl                  # chattr, setfattr, setfacl: faults and checks
    locales                             # a locale other than C
)
# Ubuntu keeps ifupdown in another component.
components=main
if [[ $ID == ubuntu ]]; then components=main,universe; fi
debootstrap --variant=minbase --components="$components" --include="$(IFS=, && echo "${packages[*]}")" "$suite" "$building" "$mirror" >&2

in_image() { chroot "$building" "$@"; }

# Nothing that a test would have to wait for: no consoles, no timers, no package work.
in_image systemctl --quiet mask \
    console-getty.service getty.target systemd-logind.service polkit.service systemd-udevd.service systemd-udev-trigger.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    systemd-tmpfiles-clean.timer systemd-journal-flush.service nftables.service
in_image pam-auth-update --remove systemd # the nodes have no logind
in_image systemctl --quiet disable \
    networking.service NetworkManager.service NetworkManager-dispatcher.service NetworkManager-wait-online.service
in_image systemctl --quiet enable ssh.service systemd-networkd.service
in_image systemctl --quiet set-default multi-user.target
mkdir -p "$building/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=4M\n' >"$building/etc/systemd/journald.conf.d/50-test.conf"

# A German locale: coreutils and sudo then speak German to whoever does not ask for C.
in_image localedef -i de_DE -f UTF-8 de_DE.UTF-8

# Users: `ubuntu` may use sudo without a password, `learner` with one, `guest` not at all.
for user in ubuntu learner guest; do in_image useradd --create-home --shell /bin/bash "$user"; done
in_image chpasswd <<<"learner:correct horse"
printf 'ubuntu ALL=(ALL) NOPASSWD: ALL\nlearner ALL=(ALL) ALL\n' >"$building/etc/sudoers.d/test-users"
chmod 440 "$building/etc/sudoers.d/test-users"
for home in root home/ubuntu home/learner home/guest; do
    install -d -m 700 -o "$(stat -c %u "$building/$home")" -g "$(stat -c %g "$building/$home")" "$building/$home/.ssh"
done

# What differs from node to node is written when a node is made.
rm -f "$building"/etc/ssh/ssh_host_* "$building/etc/machine-id" "$building/etc/hostname" "$building/etc/resolv.conf"
rm -rf "$building"/var/cache/apt/archives/*.deb "$building"/var/lib/apt/lists/* "$building"/usr/share/{doc,man,info}/*
echo "$hash" >"$building/etc/kthw-routes-test-image"

mv -T "$building" "$image"
echo "$image"
