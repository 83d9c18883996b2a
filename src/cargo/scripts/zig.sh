# Zig as one of the tools of a C compiler: `$tool` is cc, c++, ar, ranlib or ld.
if command -v zig >/dev/null 2>&1; then
  zig() { command zig "$@"; }
elif python3 -c 'import ziglang' >/dev/null 2>&1; then
  zig() { python3 -m ziglang "$@"; }
else
  lack="ko-rs: there is no $tool for $triple: no compiler for it is installed, and no zig"
  echo "$lack" >&2
  [ "$tool" != ld ] || echo "$lack" >"$here/failure-$$"
  exit 127
fi
case $tool in
  ar | ranlib)
    zig "$tool" "$@"
    exit
    ;;
esac
skip=
for argument do
  shift
  if [ -n "$skip" ]; then
    skip=
    continue
  fi
  case $argument in
    # Zig has names of its own for targets.
    --target=*) ;;
    -target) skip=1 ;;
    -Wp,-[DU]*) set -- "$@" "${argument#-Wp,}" ;;
    # And for processors: -march=armv8.2-a+crypto is -mcpu=generic+v8_2a+crypto.
    -march=armv[89]*-a*)
      march=${argument#-march=armv}
      version=${march%%-a*}
      case $version in *.*) version=${version%.*}_${version#*.} ;; esac
      set -- "$@" "-mcpu=generic+v${version}a${march#*-a}"
      ;;
    -march=arm* | -march=rv* | -mfpu=*) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
if [ "$tool" = ld ]; then
  for argument do
    shift
    case $argument in
      # Zig's unwinder does for gcc's.
      -lgcc_s | -lgcc_eh) set -- "$@" -lunwind ;;
      -lgcc | -nodefaultlibs | -nostartfiles | -fuse-ld=* | -B* | -m64 | -m32 | -Wl,--no-undefined-version | -Wl,--fix-cortex-a53-843419 | -Wl,--undefined-version) ;;
      *) set -- "$@" "$argument" ;;
    esac
  done
  zig cc -target "$target" $cpu "$@" 2>"$here/failure-$$"
  status=$?
  [ ! -s "$here/failure-$$" ] || cat "$here/failure-$$" >&2
  [ "$status" != 0 ] || rm -f "$here/failure-$$"
  exit "$status"
fi
# What C++ is linked with is made by zig the first time; rustc's own linker is given it.
if [ "$tool" = c++ ] && [ ! -f "$here/lib/libc++.a" ]; then
  mkdir -p "$here/lib"
  echo 'int main() {}' >"$here/empty-$$.cc"
  zig c++ -target "$target" $cpu -O2 -v "$here/empty-$$.cc" -o "$here/empty-$$" 2>&1 |
    tr ' ' '\n' |
    while read -r word; do
      case $word in
        */libc++.a | */libc++abi.a | */libcompiler_rt.a)
          name=${word##*/}
          cp "$word" "$here/lib/$$-$name" && mv "$here/lib/$$-$name" "$here/lib/.$name"
          ;;
      esac
    done
  rm -f "$here/empty-$$.cc" "$here/empty-$$"
  for name in libc++abi.a libcompiler_rt.a libc++.a; do
    [ ! -f "$here/lib/.$name" ] || mv -f "$here/lib/.$name" "$here/lib/$name"
  done 2>/dev/null
  ln -sf libc++.a "$here/lib/libstdc++.a"
fi
# Zig checks and describes more than other compilers do unless it is told otherwise.
zig "$tool" -target "$target" $cpu -g0 -fno-sanitize=undefined "$@"
