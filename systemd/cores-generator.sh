#!/bin/sh
# Leave the last core to the motor loop (its default, realtime.cpu: -1), however many the machine has: everything beside
# it, Docker and containerd too, gets the others. A job's output alone kept half a core busy. Goes to
# /usr/lib/systemd/system-generators/raas-cores; see systemd.generator(7). The loop's own unit places its processes itself.
set -eu
target=$1
cores=$(getconf _NPROCESSORS_ONLN)
# A machine with one core has nothing to share out.
[ "$cores" -gt 1 ] || exit 0
for unit in raas-twin raas-runner raas-webui raas-federation raas-lease pigpiod docker containerd; do
    mkdir -p "$target/$unit.service.d"
    printf '[Service]\nCPUAffinity=0-%d\n' $((cores - 2)) >"$target/$unit.service.d/50-raas-cores.conf"
done
