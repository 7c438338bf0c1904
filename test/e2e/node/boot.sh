#!/usr/bin/env bash
# The first process of a node, in namespaces of its own (../node.ts starts it). It makes the places that a node has, then keeps
# containerd and the kubelet running, as systemd would. Killing it is a power cut: memory is gone, the disk is kept.
#   NODE ADDRESS   the node's name and address
#   DISK           its directory: what a reboot keeps
#   CGROUP         its control group, below every controller
#   GATEWAY API    the address of the control plane, and that of the API server with its port
#   PROGRAM        the kubelet and others in one program
set -euo pipefail

# Control groups are the machine's, but a network namespace has a /sys of its own.
mkdir -p "$DISK/cgroup"
mount --rbind /sys/fs/cgroup "$DISK/cgroup"
mount -t sysfs sysfs /sys
mount --rbind "$DISK/cgroup" /sys/fs/cgroup
umount --lazy "$DISK/cgroup"
mount -t bpf bpf /sys/fs/bpf
for controller in /sys/fs/cgroup/*/; do
  [ "$controller" = /sys/fs/cgroup/unified/ ] || mkdir -p "$controller$CGROUP"
done

# The machine's files with the node's own above them.
for place in etc opt usr var; do
  mkdir -p "$DISK/$place/upper" "$DISK/$place/work"
  mount -t overlay -o "lowerdir=/$place,upperdir=$DISK/$place/upper,workdir=$DISK/$place/work" overlay "/$place"
done
mount -t tmpfs -o mode=755 tmpfs /run
# containerd lays overlays of its own, which cannot be done above one.
mkdir -p "$DISK/containerd" /var/lib/containerd /etc/cni/net.d /opt/cni/bin
mount --bind "$DISK/containerd" /var/lib/containerd
cp /usr/lib/cni/{ptp,host-local,loopback} /opt/cni/bin/
mount --make-rshared /

# What a kubelet sets for the whole machine, it sets in a copy.
mkdir /run/sysctl
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy="/run/sysctl/${name//\//.}"
  cat "/proc/sys/$name" >"$copy"
  mount --bind "$copy" "/proc/sys/$name"
done

hostname "$NODE"
until [ -e /sys/class/net/eth0 ]; do sleep 0.05; done
ip link set lo up
ip address add "$ADDRESS/24" dev eth0
ip link set eth0 up
ip route add default via "$GATEWAY"
echo 1 >/proc/sys/net/ipv4/ip_forward
# In the place of kube-proxy, for the one Service that is needed.
for chain in OUTPUT PREROUTING; do
  iptables -t nat -A "$chain" -d 10.96.0.1/32 -p tcp --dport 443 -j DNAT --to-destination "$API"
done

# Starts it again when it ends, however it ends.
keep() {
  local name=$1
  shift
  while :; do
    "$@" >>"$DISK/$name.log" 2>&1 &
    echo $! >"/run/$name.pid"
    wait $! || true
    sleep 0.2
  done
}

keep containerd containerd --config "$DISK/containerd.toml" &
until ctr version >/dev/null 2>&1; do sleep 0.1; done
for archive in "$DISK"/images/*.tar; do
  [ -e "$archive" ] || break
  ctr --namespace k8s.io images import "$archive" >>"$DISK/images.log" 2>&1
  # The node's disk has it now.
  rm "$archive"
done
keep kubelet "$PROGRAM" kubelet --config "$DISK/kubelet.json" --kubeconfig "$DISK/kubeconfig" --hostname-override "$NODE" \
  --node-ip "$ADDRESS" --v 2 &
# Bash takes in whoever is left without a parent.
while :; do wait -n || true; done
