# Sourced after instance.sh by what runs Kubernetes nodes.

# Makes a bridge of this instance's own, $bridge, with the address $node_ip; pods of the node get
# addresses of the same /24, $subnet. A kubelet refuses a loopback address for its node.
make_bridge() {
  local number
  for number in {0..254}; do
    bridge=ko-rs$number subnet=10.244.$number.0/24 node_ip=10.244.$number.1
    # Some other cluster of this machine may use the subnet, under a name of its own.
    [[ -z $(ip -4 route show to match "$node_ip" | grep -v '^default') ]] || continue
    # Adding is atomic: of two instances, one gets the name.
    ip link add "$bridge" type bridge 2>/dev/null || continue
    : >"$folder/made/bridges/$bridge"
    ip address add "$node_ip/24" dev "$bridge"
    ip link set "$bridge" up
    return
  done
  fail "no subnet of 10.244.0.0/16 is free"
}

# Makes the control group $instance/$1. Two kubelets in one tree would end each other's pods.
make_cgroup() {
  local root=/sys/fs/cgroup controller parent child
  if [[ -e $root/cgroup.controllers ]]; then
    for parent in "$root" "$root/$instance"; do
      mkdir -p "$parent"
      for controller in $(cat "$parent/cgroup.controllers"); do
        echo "+$controller" >"$parent/cgroup.subtree_control" 2>/dev/null || true
      done
    done
    mkdir -p "$root/$instance/$1"
    return
  fi
  for controller in "$root"/*/; do
    [[ -e $controller/cgroup.procs ]] || continue
    parent=$controller
    for child in "$instance" "$1"; do
      mkdir -p "$parent/$child" 2>/dev/null || break
      if [[ -e $parent/cpuset.cpus ]]; then
        cat "$parent/cpuset.cpus" >"$parent/$child/cpuset.cpus"
        cat "$parent/cpuset.mems" >"$parent/$child/cpuset.mems"
      fi
      parent=$parent/$child
    done
  done
}

# Writes the pod network of node folder $1, on the bridge just made.
write_network() {
  mkdir -p "$1/cni"
  cat >"$1/cni/10-bridge.conflist" <<JSON
{
  "cniVersion": "0.4.0",
  "name": "$bridge",
  "plugins": [{
    "type": "bridge",
    "bridge": "$bridge",
    "isGateway": true,
    "ipMasq": false,
    "ipam": {
      "type": "host-local",
      "dataDir": "$1/addresses",
      "ranges": [[{"subnet": "$subnet"}]],
      "routes": [{"dst": "0.0.0.0/0"}]
    }
  }]
}
JSON
}

# Starts containerd in node folder $1, on the socket containerd.sock there.
start_containerd() {
  mkdir -p "$1"
  cat >"$1/containerd.toml" <<TOML
version = 2
root = "$1/root"
state = "$1/state"
[grpc]
  address = "$1/containerd.sock"
  gid = ${SUDO_GID:-0}
[plugins."io.containerd.internal.v1.opt"]
  path = "$1/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause_image"
  # The machine may lack CAP_SYS_RESOURCE.
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$1/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
TOML
  run containerd containerd --config "$1/containerd.toml"
}

# Starts cri-dockerd in node folder $1, on the socket cri.sock there, before the engine on socket $2.
start_cri_dockerd() {
  reserve_port
  run cri-dockerd cri-dockerd --container-runtime-endpoint "unix://$1/cri.sock" \
    --docker-endpoint "unix://$2" --cri-dockerd-root-directory "$1/cri" \
    --streaming-bind-addr "127.0.0.1:$port" --pod-infra-container-image "$pause_image" \
    --network-plugin cni --cni-bin-dir /usr/lib/cni --cni-conf-dir "$1/cni" \
    --cni-cache-dir "$1/cni-cache"
}

# Starts the kubelet of node $1 in its folder $2, before the runtime on socket $3.
start_kubelet() {
  local name=$1 node=$2 socket=$3
  make_cgroup "$name"
  cat >"$node/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $node_ip
healthzPort: 0
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: false}
  x509: {clientCAFile: $folder/certs/ca.pem}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://$socket
cgroupDriver: cgroupfs
cgroupRoot: /$instance/$name
failSwapOn: false
failCgroupV1: false
oomScoreAdj: 0
makeIPTablesUtilChains: false
serializeImagePulls: false
registryPullQPS: 0
eventRecordQPS: 0
podLogsDir: $node/pod-logs
volumePluginDir: $node/volume-plugins
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 10Mi, nodefs.available: 0.1%, imagefs.available: 0.1%, nodefs.inodesFree: 0.1%}
YAML
  run "kubelet-$name" kubelet --config "$node/kubelet.yaml" --kubeconfig "$folder/kubeconfig" \
    --root-dir "$node/kubelet" --cert-dir "$node/kubelet-certs" --hostname-override "$name" \
    --node-ip "$node_ip"
}
