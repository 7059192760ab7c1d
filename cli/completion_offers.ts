/**
 * Shell functions by which completion scripts find values out by themselves: the instances and
 * backups of the catalog that the command line names, and the mounts of this machine. One function
 * for each `Offer`, in each shell.
 *
 * The kernel writes a blank in a path as `\040`, and a backslash as `\134`.
 *
 * @module
 */

/**
 * bash hands words over as they were typed, with their quotes, and quotes what is offered. `$word` is
 * what has been typed so far.
 */
export const BASH_OFFERS = String.raw`_pbkfs_plain() {
  local text=$1
  case $text in
    [\"\']*) text=${"${text#?}"} text=${"${text%[\\\"\\']}"} ;;
    *) text=${"${text//\\\\/}"} ;;
  esac
  printf '%s' "$text"
}
# Offers the lines of its input that begin as the word does: names may have spaces.
_pbkfs_add() {
  local line
  while IFS= read -r line; do
    if [[ $line == "$word"* ]]; then COMPREPLY+=("$line"); fi
  done
}
_pbkfs_offer() { _pbkfs_add < <(compgen "$@" -- "$word"); }
# The value of an option that was given before; its two names.
_pbkfs_given() {
  local at value=
  for ((at = 2; at < COMP_CWORD; at++)); do
    case ${"${COMP_WORDS[at]}"} in
      "$1" | "$2")
        value=${"${COMP_WORDS[at + 1]}"}
        if [ "$value" = = ]; then value=${"${COMP_WORDS[at + 2]}"}; fi ;;
    esac
  done
  value=$(_pbkfs_plain "$value")
  printf '%s' "${"${value/#'~/'/$HOME/}"}"
}
_pbkfs_instances() {
  local store=$(_pbkfs_given -B --pbk-store) path
  _pbkfs_add < <(
    for path in "$store"/backups/*/; do
      path=${"${path%/}"}
      if [ -d "$path" ]; then printf '%s\n' "${"${path##*/}"}"; fi
    done
  )
}
_pbkfs_backups() {
  local store=$(_pbkfs_given -B --pbk-store) instance=$(_pbkfs_given -I --instance) path
  _pbkfs_add < <(
    printf 'latest\n'
    IFS=
    for path in "$store"/backups/${"${instance:-*}"}/*/backup.control; do
      path=${"${path%/backup.control}"}
      if [ -d "$path" ]; then printf '%s\n' "${"${path##*/}"}"; fi
    done
  )
}
_pbkfs_unescaped() { local text=${"${1//\\\\040/ }"}; printf '%s\n' "${"${text//\\\\134/\\\\}"}"; }
_pbkfs_mounts() {
  local source path type rest
  _pbkfs_add < <(
    while read -r source path type rest; do
      if [ "$type" = fuse.pbkfs ]; then _pbkfs_unescaped "$path"; fi
    done < /proc/self/mounts
  )
}
_pbkfs_diffs() {
  local source path type rest
  _pbkfs_add < <(
    while read -r source path type rest; do
      if [ "$type" = fuse.pbkfs ]; then _pbkfs_unescaped "${"${source#pbkfs:}"}"; fi
    done < /proc/self/mounts
  )
}`;

/** zsh quotes what is offered, and has the values of options in `opt_args`, as they were typed. */
export const ZSH_OFFERS = String.raw`_pbkfs_given() {
  local value=${"${opt_args[$1]:-${opt_args[$2]}}"}
  REPLY=${"${(Q)value}"}
  REPLY=${"${REPLY/#\\~\\//$HOME/}"}
}
_pbkfs_instances() {
  local REPLY
  _pbkfs_given -B --pbk-store
  local -a found=("$REPLY"/backups/*(N/:t))
  compadd -a found
}
_pbkfs_backups() {
  local REPLY
  _pbkfs_given -I --instance
  local instance=${"${REPLY:-*}"}
  _pbkfs_given -B --pbk-store
  local -a found=(latest "$REPLY"/backups/${"${~instance}"}/*/backup.control(N:h:t))
  compadd -a found
}
_pbkfs_mounted() {
  local source place type rest
  local -a found
  while read -r source place type rest; do
    [[ $type == fuse.pbkfs ]] || continue
    [[ $1 == mounts ]] || place=${"${source#pbkfs:}"}
    found+=("${"${${place//\\\\040/ }//\\\\134/\\\\}"}")
  done < /proc/self/mounts
  compadd -a found
  _files -/
}
_pbkfs_mounts() { _pbkfs_mounted mounts }
_pbkfs_diffs() { _pbkfs_mounted diffs }`;

/** fish quotes what is offered, and offers what begins as the word does. */
export const FISH_OFFERS = String.raw`function __pbkfs_given
    set -l words (commandline -opc)
    set -l value
    for at in (seq (count $words))
        set -l next (math $at + 1)
        switch $words[$at]
            case $argv[1] $argv[2]
                test $next -le (count $words); and set value $words[$next]
            case $argv[2]'=*'
                set value (string replace -- $argv[2]= '' $words[$at])
        end
    end
    string replace -r -- '^~/' "$HOME/" $value
end
function __pbkfs_instances
    set -l store (__pbkfs_given -B --pbk-store)
    test -n "$store"; or return
    for path in $store/backups/*/
        basename -- $path
    end
end
function __pbkfs_backups
    echo latest
    set -l store (__pbkfs_given -B --pbk-store)
    set -l instance (__pbkfs_given -I --instance)
    test -n "$store"; or return
    for path in $store/backups/*/*/backup.control
        set -l backup (dirname -- $path)
        if test -z "$instance" -o (basename -- (dirname -- $backup)) = "$instance"
            basename -- $backup
        end
    end
end
function __pbkfs_mounted
    while read -l source path type rest
        test "$type" = fuse.pbkfs; or continue
        test $argv[1] = mounts; or set path (string replace -- pbkfs: '' $source)
        string replace -a -- '\\040' ' ' $path | string replace -a -- '\\134' '\\'
    end </proc/self/mounts
end
function __pbkfs_mounts
    __pbkfs_mounted mounts
end
function __pbkfs_diffs
    __pbkfs_mounted diffs
end`;
