#!/usr/bin/env bash
# Takes away what outlives the namespaces of a run, when its standard input ends: control groups and files. Also those of earlier runs
# that nobody is left of.
#   clean.sh DIRECTORY CGROUP
set -u
# In a session of its own, so that what ends the run does not end this.
trap '' INT TERM HUP
cat >/dev/null
for group in $(find /sys/fs/cgroup -mindepth 2 -maxdepth 2 -type d -name 'calico-vault-agent-e2e-*' 2>/dev/null); do
  # Of another run that is under way: its number is that of a process.
  [ "${group##*/}" = "$2" ] || [ ! -d "/proc/${group##*-}" ] || continue
  find "$group" -depth -type d 2>/dev/null | while read -r each; do
    # The kernel takes a moment to end what was killed.
    for _ in $(seq 100); do
      rmdir "$each" 2>/dev/null && break
      sleep 0.05
    done
  done
done
rm -rf "$1"
