# Sourced by the scripts beside it; each of them is one instance of one server:
#
#   * it starts the server in the foreground, everything in a temporary folder, on loopback ports
#     that are free, and prints one line of JSON once the server can be used;
#   * it reads commands from standard input, a line each, and answers each with a line of JSON;
#   * once standard input is closed (which it is too when whoever started it was killed), it stops
#     everything and removes what it made.
#
# All processes of an instance live in a PID and a mount namespace of their own: when its first
# process ends, the kernel ends the rest, containers included, and the mounts go with them. What
# outlives that (folder, bridges, cgroups, port reservations) is written down in the folder and
# removed from outside, by `clean`; if even that was killed, by the next instance to start.
#
# A script that sources this file goes on inside the namespaces, with $folder as its folder.
# KO_RS_SERVERS_LOGS names a folder that keeps the logs of instances that have ended.
set -euo pipefail

start=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
script=$start/$(basename "$0")
# The kernel's ephemeral ports begin at 32768: below, no client's connection takes a port
# between two starts of one server.
port_reservations=/tmp/ko-rs-ports

fail() { echo "error: $*" >&2; exit 1; }

# --- outside the namespaces ----------------------------------------------------------------------

# Removes what instance $1, whose processes have ended, left behind.
clean() {
  local folder=$1 name=${1##*/} file group
  if [[ -n ${KO_RS_SERVERS_LOGS-} && -d $folder/log ]]; then
    mkdir -p "$KO_RS_SERVERS_LOGS" && cp -r "$folder/log" "$KO_RS_SERVERS_LOGS/$(basename "$0")-${name#*.}" || true
  fi
  for file in "$folder"/made/bridges/*; do
    [[ -e $file ]] && ip link delete "${file##*/}" 2>/dev/null || true
  done
  for file in "$folder"/made/ports/*; do
    [[ -e $file ]] && rmdir "$port_reservations/${file##*/}" 2>/dev/null || true
  done
  for group in /sys/fs/cgroup/"$name" /sys/fs/cgroup/*/"$name"; do
    [[ -d $group ]] || continue
    for _ in 1 2 3 4 5 6 7 8 9 10; do
      find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
      sleep 0.1
    done
  done
  rm -rf --one-file-system "$folder"
}

# Cleans after instances that were killed together with whoever should have cleaned after them.
clean_stale() {
  local lock
  while read -r lock; do
    flock --nonblock "$lock" true && clean "${lock%/lock}" || true
  done < <(find "$1" -maxdepth 2 -path '*/ko-rs.??????/lock' -mmin +1 2>/dev/null)
}

supervise() {
  local tmp=${TMPDIR:-/tmp} folder child status=0
  PATH=$("$start/../install" --path):$PATH:/usr/sbin:/sbin
  export PATH
  if [[ $(id -u) != 0 ]]; then
    exec sudo --non-interactive env PATH="$PATH" TMPDIR="$tmp" \
      KO_RS_SERVERS_LOGS="${KO_RS_SERVERS_LOGS-}" "$script" "$@"
  fi
  clean_stale "$tmp"
  folder=$(mktemp -d "$tmp/ko-rs.XXXXXX")
  chmod 755 "$folder"
  # Whatever inherits this descriptor holds the lock: it is free once all have ended.
  exec 8>"$folder/lock"
  flock 8
  mkdir -p "$folder/log" "$folder/made/bridges" "$folder/made/ports"
  KO_RS_INSTANCE=$folder unshare --mount --pid --fork --kill-child --mount-proc -- "$script" "$@" <&0 &
  child=$!
  trap 'exit 143' TERM INT HUP
  # `$!` is unshare; killing it kills the first process of the namespace, and so all.
  trap "kill -KILL $child 2>/dev/null || true; wait $child 2>/dev/null || true; clean '$folder'" EXIT
  wait "$child" || status=$?
  exit "$status"
}

if [[ -z ${KO_RS_INSTANCE-} ]]; then
  supervise "$@"
fi

# --- inside them ---------------------------------------------------------------------------------

folder=$KO_RS_INSTANCE
instance=${folder##*/}
unset KO_RS_INSTANCE
declare -A pid_of

# Reserves a port on 127.0.0.1 until this instance ends, in $port.
reserve_port() {
  mkdir -p "$port_reservations" && chmod 1777 "$port_reservations" 2>/dev/null || true
  while true; do
    port=$((15000 + RANDOM % 16000))
    mkdir "$port_reservations/$port" 2>/dev/null || continue
    : >"$folder/made/ports/$port"
    [[ -z $(ss -Hltn "sport = :$port") ]] && return
  done
}

# Puts an empty folder over each path. They are built into the programs; nothing in them is to stay,
# or to meet another instance's.
hide() {
  local path
  for path in "$@"; do
    mkdir -p "$path"
    mount -t tmpfs tmpfs "$path"
  done
}

# Starts the command after $1 in the background under the name $1, its output in log/$1.log.
run() {
  local name=$1
  shift
  "$@" </dev/null >>"$folder/log/$name.log" 2>&1 &
  pid_of[$name]=$!
}

# Ends $1 at once, the way a machine that loses power does.
stop() {
  kill -KILL "${pid_of[$1]}" 2>/dev/null || true
  wait "${pid_of[$1]}" 2>/dev/null || true
  unset "pid_of[$1]"
}

# Waits until the command after $1 succeeds, as long as process $1 lives, for at most two minutes.
await() {
  local name=$1 deadline=$((SECONDS + 120))
  shift
  until "$@" >/dev/null 2>&1; do
    kill -0 "${pid_of[$name]}" 2>/dev/null || fail "$name has ended; its log ends with
$(tail -n 30 "$folder/log/$name.log")"
    [[ $SECONDS -lt $deadline ]] || fail "$name is not ready after two minutes: \`$*\` fails; its log ends with
$(tail -n 30 "$folder/log/$name.log")"
    sleep 0.05
  done
}

# Makes certificate authority $1 in certs/.
authority() {
  mkdir -p "$folder/certs"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -subj "/CN=ko-rs test authority $1" -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout "$folder/certs/$1.key" -out "$folder/certs/$1.pem" 2>>"$folder/log/openssl.log"
}

# Makes certificate $2 of authority $1 for the subject $3, in certs/; for a server, with the names
# $4 (`DNS:localhost,IP:127.0.0.1`).
certificate() {
  local file=$folder/certs/$2 usage=clientAuth
  [[ -n ${4-} ]] && usage=serverAuth,clientAuth
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "$3" \
    -keyout "$file.key" -out "$file.csr" 2>>"$folder/log/openssl.log"
  openssl x509 -req -in "$file.csr" -days 3650 -out "$file.pem" \
    -CA "$folder/certs/$1.pem" -CAkey "$folder/certs/$1.key" -CAcreateserial -CAserial "$file.srl" \
    -extfile <(echo "extendedKeyUsage=$usage"; [[ -z ${4-} ]] || echo "subjectAltName=$4") \
    2>>"$folder/log/openssl.log"
  chmod 644 "$file.key"
}

# Prints the JSON line $1, then carries out commands (functions named `on_COMMAND`) until standard
# input is closed.
serve() {
  local command
  echo "$1"
  while read -r command; do
    if [[ $(type -t "on_$command") == function ]]; then
      "on_$command"
      echo '{"done":true}'
    else
      fail "no command \`$command\`"
    fi
  done
  exit 0
}
