# Links with what comes with rustc, which puts it on PATH. Arguments that build scripts and sources
# write for a C compiler that links (`-Wl,-z,now`) become those of the linker itself. What the linker
# says when it fails is left for ko-rs to explain.
driver=
for argument do
  case $argument in
    -Wl,* | -Xlinker | -fuse-ld=* | -pthread | -rdynamic | -static-libgcc | -static-libstdc++ | -nostartfiles | -nodefaultlibs) driver=1 ;;
  esac
done
if [ -n "$driver" ]; then
  whole=
  for argument do
    shift
    if [ -n "$whole" ]; then
      set -- "$@" "$argument"
      whole=
      continue
    fi
    case $argument in
      -Wl,*)
        rest=${argument#-Wl,},
        while [ -n "$rest" ]; do
          set -- "$@" "${rest%%,*}"
          rest=${rest#*,}
        done
        ;;
      -Xlinker) whole=1 ;;
      -rdynamic) set -- "$@" --export-dynamic ;;
      -fuse-ld=* | -pthread | -static-libgcc | -static-libstdc++ | -nostartfiles | -nodefaultlibs) ;;
      *) set -- "$@" "$argument" ;;
    esac
  done
fi
if [ -f "$here/lib/libc++.a" ]; then
  set -- "$@" "-L$here/lib" -lc++abi -lcompiler_rt
fi
failure=$here/failure-${KO_RS_RUN-}-$$
rust-lld "$@" 2>"$failure"
status=$?
[ ! -s "$failure" ] || cat "$failure" >&2
[ "$status" != 0 ] || rm -f "$failure"
exit "$status"
