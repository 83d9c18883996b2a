# Sourced after instance.sh by what needs an image that does nothing: Kubernetes starts one a pod.
pause_image=localhost/pause:1

# Imports it into the engine on socket $1.
import_pause() {
  musl-gcc -static -Os -s -o "$folder/pause" "$start/pause.c"
  tar --create --owner=0 --group=0 --mtime=@0 --directory "$folder" pause |
    docker --host "unix://$1" import --change 'ENTRYPOINT ["/pause"]' - "$pause_image" \
      >>"$folder/log/pause.log" 2>&1
}
