#!/bin/sh
# Mounts BACKUP (the newest, if not set) of the catalog in /catalog, and runs a server on it until
# the container stops. A diff that is there already is continued.
set -eu
pbkfs() { deno run -A --quiet /opt/pbkfs/cli.ts "$@"; }

mkdir -p /pgdata
# pg_wal stays in the mount: no other path then has to be reachable for the server.
# The catalog is mounted read-only, so its backups cannot be locked there.
pbkfs mount -B /catalog -d /diff/clone -D /pgdata --wal inside --no-store-lock \
  ${INSTANCE:+-I "$INSTANCE"} ${BACKUP:+-i "$BACKUP"}

owner=$(stat -c %u:%g /pgdata/PG_VERSION)
bin=/usr/lib/postgresql/$PG/bin
# Clones listen on localhost only; a container has to be heard outside, on the port that it exposes.
# Who may connect is up to the backup's pg_hba.conf.
# No function: the process that is started here is to be the server, which gets the signal below.
setpriv --reuid "${owner%:*}" --regid "${owner#*:}" --clear-groups \
  "$bin/postgres" -D /pgdata -p 5432 -c listen_addresses='*' -c unix_socket_directories=/tmp &
server=$!
trap 'kill -INT "$server"' TERM INT
wait "$server" || true
wait "$server" 2>/dev/null || true
pbkfs unmount -D /pgdata
