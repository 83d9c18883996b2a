# Sourced after instance.sh by what runs a Docker Engine.

# Prints an OCI runtime for engine folder $1: runc, but for the adjustment of the OOM score, which
# needs a capability (CAP_SYS_RESOURCE) that machines in containers and sandboxes lack, and the namespace
# for time, which Engine 29 asks for and Debian's runc does not know.
write_runtime() {
  cat >"$1/runc" <<'RUNTIME'
#!/usr/bin/env bash
set -euo pipefail
previous='' bundle=''
for argument; do
  [[ $previous == --bundle || $previous == -b ]] && bundle=$argument
  previous=$argument
done
if [[ -n $bundle ]]; then
  jq -c 'del(.process.oomScoreAdj) | .linux.namespaces |= map(select(.type != "time"))' \
    "$bundle/config.json" >"$bundle/config.json.new"
  mv "$bundle/config.json.new" "$bundle/config.json"
fi
exec runc "$@"
RUNTIME
  chmod 755 "$1/runc"
}

# Describes the engine in folder $1, as JSON.
engine_json() {
  jq -cn --arg socket "$1/docker.sock" --arg tls_host "tcp://127.0.0.1:$engine_port" \
    --arg cert_path "$1/tls" '{$socket, $tls_host, $cert_path}'
}

# Starts Docker Engine in folder $1: on the socket docker.sock there, open to all of the machine,
# and on a port of the loopback interface for whoever has the certificates in tls/, named as
# the docker command wants them. It has no network of its own: containers run with `--network none`
# or `host`. Its containers are in control group $2.
start_engine() {
  local engine=$1 group=$2
  mkdir -p "$engine/tls"
  write_runtime "$engine"
  [[ -e $folder/certs/ca.pem ]] || authority ca
  certificate ca engine /CN=docker DNS:localhost,IP:127.0.0.1
  certificate ca engine-client /CN=client
  cp "$folder/certs/ca.pem" "$engine/tls/ca.pem"
  cp "$folder/certs/engine-client.pem" "$engine/tls/cert.pem"
  cp "$folder/certs/engine-client.key" "$engine/tls/key.pem"
  reserve_port
  engine_port=$port
  engine_folder=$engine
  engine_group=$group
  launch_engine
}

launch_engine() {
  local engine=$engine_folder
  rm -f "$engine/docker.pid" "$engine/docker.sock"
  # Without a configuration file, it would read the machine's.
  echo '{}' >"$engine/daemon.json"
  run dockerd "${dockerd:-dockerd}" --config-file "$engine/daemon.json" \
    --data-root "$engine/data" --exec-root "$engine/exec" --pidfile "$engine/docker.pid" \
    --host "unix://$engine/docker.sock" --host "tcp://127.0.0.1:$engine_port" \
    --group "${SUDO_GID:-0}" \
    --tlsverify --tlscacert "$folder/certs/ca.pem" \
    --tlscert "$folder/certs/engine.pem" --tlskey "$folder/certs/engine.key" \
    --bridge none --iptables=false --ip6tables=false --ip-forward=false \
    --cgroup-parent "$engine_group" --exec-opt native.cgroupdriver=cgroupfs \
    --add-runtime "without-oom-score=$engine/runc" --default-runtime without-oom-score
  await dockerd docker --host "unix://$engine/docker.sock" version
}
