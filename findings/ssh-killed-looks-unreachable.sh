#!/usr/bin/env bash
# What one would expect: ssh ends with 255 if it could not reach the host. If the remote command is killed by a signal,
# ssh ends as a shell does: 128 and the number of the signal, so 137 for SIGKILL.
#
# What happens: ssh ends with 255 for a killed command, too, and prints nothing at all. The server sends the name of
# the signal, and the client drops it. A detail decides: many shells replace themselves by the last command, and then
# nobody is left who could say 137. If a shell waits for the command, ssh ends with 137.
#
# Why it matters: on a host that runs out of memory, the kernel kills the largest task, such as an update. Whoever
# takes 255 for "not reachable" shows the host as offline while it is up, and starts the same update again. Let the
# remote side print the status itself, and take 255 without that line as "not known how it ended".
#
# Seen on 2026-11-29 with openssh-server and openssh-client 1:9.2p1-2+deb12u10 of Debian 12:
#
#   nobody listens:                       255, with a message
#   command ends well:                    0, without a message
#   command is killed:                    255, without a message
#   command is killed, its shell stays:   137, with a message
set -euo pipefail

changed() {
    echo "not as described any more: $*" >&2
    exit 1
}

# For root, sshd wants a user and a folder in /run. It gets them in a view of the file system that nobody else has.
if [[ $EUID == 0 && ${1:-} != inside ]]; then
    exec unshare --mount --propagation private bash "$0" inside
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# Without sshd, the Debian packages of it are unpacked here, with what it needs and is not installed.
sshd=/usr/sbin/sshd
[[ -x $sshd ]] || (
    mkdir packages
    cd packages
    apt-get -qq --simulate --no-install-recommends install openssh-server | awk '/^Inst/ { print $2 }' |
        xargs apt-get -qq -o APT::Sandbox::User= download
    for package in *.deb; do dpkg-deb -x "$package" ../root; done
) || { echo "cannot get the Debian package openssh-server" >&2; exit 2; }
if [[ -d root ]]; then
    sshd=$folder/root/usr/sbin/sshd
    export PATH=$folder/root/usr/bin:$PATH
    LD_LIBRARY_PATH=$(echo "$folder"/root/usr/lib/*-linux-gnu)
    export LD_LIBRARY_PATH
fi
ssh -V 2>&1

if [[ $EUID == 0 ]]; then
    { grep -v '^sshd:' /etc/passwd; echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin'; } > passwd
    chmod 644 passwd
    mount --bind passwd /etc/passwd
    mkdir run run/sshd
    chmod 755 run run/sshd
    mount --bind run /run
fi

ssh-keygen -q -t ed25519 -N '' -f host_key
ssh-keygen -q -t ed25519 -N '' -f user_key
cp user_key.pub authorized
cat > sshd_config << EOF
HostKey $folder/host_key
AuthorizedKeysFile $folder/authorized
StrictModes no
UsePAM no
EOF
echo "host $(cat host_key.pub)" > known

# Both programs talk through a pipe: no port is opened.
cat > ssh_config << EOF
Host host
    ProxyCommand $sshd -i -e -f $folder/sshd_config 2> $folder/log
Host nobody
    HostName 127.0.0.1
    Port 1
Host *
    User $(id -un)
    IdentityFile $folder/user_key
    IdentitiesOnly yes
    UserKnownHostsFile $folder/known
    BatchMode yes
EOF

# What the kernel does to an update if the memory is used up.
echo 'kill -KILL $$' > update

# How ssh ended, and whether anything was printed.
run() {
    local status=0 message="without a message"
    ssh -F ssh_config "$@" > output 2>&1 || status=$?
    [[ ! -s output ]] || message="with a message"
    echo "$status, $message"
}
unreachable=$(run nobody true)
well=$(run host true)
killed=$(run host "exec sh $folder/update")
stays=$(run host "exec sh -c 'sh $folder/update; exit \$?'")
echo "nobody listens:                       $unreachable"
echo "command ends well:                    $well"
echo "command is killed:                    $killed"
echo "command is killed, its shell stays:   $stays"

[[ $well == "0, without a message" ]] || { cat output log >&2; changed "sshd cannot be reached"; }
[[ $unreachable == "255, with a message" ]] || changed "where nobody listens, ssh ends with $unreachable"
[[ $killed == "255, without a message" ]] || changed "for a killed command, ssh ends with $killed"
[[ $stays == "137, "* ]] || changed "for a shell that stays, ssh ends with $stays"
