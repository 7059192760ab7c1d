#!/usr/bin/env bash
# Puts pbkfs on a machine, as a command for all its users, and takes it away again. ./run calls it:
#
#     DENO=/path/to/deno contrib/install/install.sh install PREFIX
#     contrib/install/install.sh uninstall PREFIX
#
# PREFIX/lib/pbkfs/ is pbkfs's alone. It holds
#
#     VERSION.XXXXXX/   a release: Deno, the program with its packages, and what Deno made of them
#     installed         what lies elsewhere below PREFIX: files with their SHA-256, and directories
#     lock              held by whoever installs or uninstalls
#
# The command, PREFIX/bin/pbkfs, names its release. So an upgrade is one rename, and a mount of the
# release before goes on with its own files: its guardian may have to start that program again.
set -eu -o pipefail
umask 022
cd "$(dirname "$0")/../.."

# What lies outside lib/pbkfs, where the programs that read it look.
FILES="bin/pbkfs
share/man/man1/pbkfs.1
share/bash-completion/completions/pbkfs
share/zsh/site-functions/_pbkfs
share/fish/vendor_completions.d/pbkfs.fish"

say() { printf '%s\n' "$@" >&2; }
fail() { say "$@"; exit 1; }
quoted() { printf "'%s'" "${1//\'/\'\\\'\'}"; }

# ---- what there is ---------------------------------------------------------------------------

sum_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

exists() { [ -e "$1" ] || [ -L "$1" ]; }

# Whether a file is one that we put there, and still is what it was.
is_ours() { # PATH, relative to PREFIX
  [ -f "$prefix/$1" ] && [ ! -L "$prefix/$1" ] &&
    grep -qxF "file $(sum_of "$prefix/$1") $1" "$list"
}

# The processes that run from a directory: mounts and their guardians, and commands.
processes_in() { # DIRECTORY; prints their ids
  local dir words
  for dir in /proc/[0-9]*; do
    { words=$(tr '\0' '\n' <"$dir/cmdline"); } 2>/dev/null || continue # ended meanwhile
    [[ $'\n'$words == *$'\n'"$1/"* ]] && printf '%s ' "${dir#/proc/}"
  done
  return 0
}

write_list() { # LINES
  { grep . | sort -u; } <<<"$1" >"$list.new"
  mv "$list.new" "$list"
}

# Makes a directory below PREFIX, and its parents; notes those that were not there.
make_directory() { # PATH, relative to PREFIX
  [ "$1" = . ] && return
  make_directory "$(dirname "$1")" || return
  [ -d "$prefix/$1" ] && return
  mkdir "$prefix/$1" && made+="dir $1"$'\n'
}

remove_directories() { # LINES of a list, some of which are "dir PATH"; those in use stay
  local path
  { grep '^dir ' | sort -r; } <<<"$1" | while read -r _ path; do
    rmdir "$prefix/$path" 2>/dev/null || true
  done
}

# One at a time, until this process ends.
take_lock() {
  exec 9>"$home/lock"
  flock 9
}

# ---- installing ------------------------------------------------------------------------------

install() {
  made="" before="" release=""
  if ! make_home; then
    fail "Nothing can be installed into $prefix." \
      "Run this as root, or give a directory of your own with --prefix."
  fi
  take_lock
  [ ! -f "$list" ] || before=$(cat "$list")$'\n'
  trap clean_up EXIT
  write_list "$before$made"
  refuse_strangers
  make_release
  make_files
  put_in_place
  rm -rf "$release/files"
  remove_earlier_releases
  tell_end
}

make_home() {
  [ -d "$prefix" ] || { mkdir -p "$prefix" && made="dir "$'\n'; } || return
  prefix=$(cd "$prefix" && pwd -P)
  home=$prefix/lib/pbkfs
  list=$home/installed
  make_directory lib/pbkfs && [ -w "$home" ]
}

# A failure leaves what was there before.
clean_up() {
  local path
  for path in $FILES; do rm -f "$prefix/$path.new"; done
  [ -z "$release" ] || rm -rf "$release"
  [ -n "$before" ] || rm -f "$list" "$home/lock"
  remove_directories "$made"
}

refuse_strangers() {
  local path
  for path in $FILES; do
    if exists "$prefix/$path" && ! is_ours "$path"; then
      fail "$prefix/$path is there already: another program's, or changed by somebody." \
        "Move it away, or give another directory with --prefix."
    fi
  done
}

# Everything is made where it stays: what Deno keeps of a module goes by the module's path.
make_release() {
  local program
  version=$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' deno.json)
  release=$(mktemp -d "$home/$version.XXXXXX")
  say "Installing pbkfs $version into $prefix"
  chmod 755 "$release"
  mkdir "$release/app"
  # What we are given may be a script or a link.
  program=$("${DENO:?}" eval 'Deno.stdout.writeSync(new TextEncoder().encode(Deno.execPath()))')
  cp --reflink=auto "$program" "$release/deno"
  chmod 755 "$release/deno"
  "$release/deno" run -A --quiet --frozen contrib/install/write_program.ts "$release/app"
  add_packages
  write_command >"$release/pbkfs"
  chmod 755 "$release/pbkfs"
  # Run once, so that Deno has what it keeps of each module: others may not write here.
  "$release/pbkfs" --version >/dev/null
  (cd "$release/app" && DENO_DIR=$release/cache "$release/deno" cache --quiet ./*/*_worker.ts)
}

# The packages, of the versions and with the contents that the lock file tells.
add_packages() {
  local build=$release/build
  mkdir "$build"
  mv "$release/app/deno.lock" "$build"
  cp "$release/app/deno.json" "$build"
  (cd "$build" && "$release/deno" install --quiet --node-modules-dir=auto)
  if grep '"integrity"' "$build/deno.lock" | tr -d ' ,' | grep -qvxFf <(tr -d ' ,' <deno.lock); then
    fail "A package is not the one that deno.lock names."
  fi
  # A copy: Deno links files to its own cache, which belongs to who installs.
  cp -R "$build/node_modules" "$release/app"
  chmod -R a+rX "$release/app"
  rm -rf "$build"
}

write_command() {
  cat <<COMMAND
#!/bin/sh
# pbkfs, as "./run install" put it here. "./run uninstall" takes it away.
DENO_DIR=$(quoted "$release/cache") DENO_NO_UPDATE_CHECK=1
export DENO_DIR DENO_NO_UPDATE_CHECK
exec $(quoted "$release/deno") run -A --quiet --no-remote --no-lock \\
  $(quoted "$release/app/cli.ts") "\$@"
COMMAND
}

make_files() { # below $release/files, as they are to lie below PREFIX
  local path
  for path in $FILES; do
    mkdir -p "$release/files/$(dirname "$path")"
    case $path in
      bin/pbkfs) mv "$release/pbkfs" "$release/files/$path" ;;
      */man1/*) "$release/files/bin/pbkfs" man >"$release/files/$path" ;;
      *bash*) "$release/files/bin/pbkfs" completion bash >"$release/files/$path" ;;
      *zsh*) "$release/files/bin/pbkfs" completion zsh >"$release/files/$path" ;;
      *fish*) "$release/files/bin/pbkfs" completion fish >"$release/files/$path" ;;
    esac
  done
}

# Replaces each file by a rename. While that happens, the list names what was and what is to be:
# who is interrupted can begin again.
put_in_place() {
  local path lines=
  for path in $FILES; do
    make_directory "$(dirname "$path")"
    mv "$release/files/$path" "$prefix/$path.new"
    lines+="file $(sum_of "$prefix/$path.new") $path"$'\n'
  done
  write_list "$before$made$lines"
  trap - EXIT # the new release stays from now on
  for path in $FILES; do mv "$prefix/$path.new" "$prefix/$path"; done
  write_list "$(grep '^dir ' <<<"$before")"$'\n'"$made$lines"
}

# They go, but for those that something still runs from.
remove_earlier_releases() {
  local earlier running
  for earlier in "$home"/*/; do
    earlier=${earlier%/}
    [ "$earlier" = "$release" ] && continue
    running=$(processes_in "$earlier")
    if [ -n "$running" ]; then
      say "Mounts that were there go on with the earlier release (processes $running)" \
        "until they are unmounted. Its files in $earlier" \
        "stay until then, and go with the next install or uninstall."
    else
      rm -rf "$earlier"
    fi
  done
}

tell_end() {
  say "pbkfs $version is installed: $prefix/bin/pbkfs, for all users who can read it." \
    "\"man pbkfs\" tells how it is used, \"pbkfs doctor\" what this machine lacks."
  case :$PATH: in
    *":$prefix/bin:"*) ;;
    *)
      say "" "$prefix/bin is not on your PATH. Put this line into ~/.profile, and log in again:" "" \
        "    export PATH=$(quoted "$prefix/bin"):\$PATH"
      ;;
  esac
  if [[ ${SHELL:-} == */zsh && $prefix != /usr/local ]]; then
    say "" "For completion, put this line into ~/.zshrc, before compinit:" "" \
      "    fpath+=($(quoted "$prefix/share/zsh/site-functions"))"
  fi
}

# ---- uninstalling ----------------------------------------------------------------------------

uninstall() {
  local lines path running
  home=$prefix/lib/pbkfs
  list=$home/installed
  [ -f "$list" ] || fail "pbkfs is not installed in $prefix: there is no $list." \
    "Give the directory that it was installed into with --prefix."
  prefix=$(cd "$prefix" && pwd -P)
  home=$prefix/lib/pbkfs
  list=$home/installed
  [ -w "$home" ] || fail "$home is not yours to remove: run this as the user who installed it."
  take_lock
  running=$(processes_in "$home")
  [ -z "$running" ] || fail "pbkfs is running (processes $running): nothing was removed." \
    "\"pbkfs status\" lists what is mounted. Unmount it, and try again."
  lines=$(cat "$list")
  while read -r _ _ path; do
    if is_ours "$path"; then
      rm "$prefix/$path"
    elif exists "$prefix/$path"; then
      say "$prefix/$path stays: it was changed after the installation."
    fi
  done < <(grep '^file ' <<<"$lines")
  rm -rf "$home"
  remove_directories "$lines"
  say "pbkfs is no longer installed in $prefix. Diffs and catalogs are as they were."
}

prefix=$2
case $1 in
  install) install ;;
  uninstall) uninstall ;;
esac
