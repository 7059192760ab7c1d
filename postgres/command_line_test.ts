import assert from "node:assert/strict";
import { commandLineSettings } from "./command_line.ts";

Deno.test("a server's command line is read in all its forms [FR-220]", () => {
  const opts = '/usr/lib/postgresql/15/bin/postgres "-D" "/mnt/clone" "-c" "archive_mode=on" ' +
    '"--archive-command=cp "%p" /x" "-p" "5433" "-cwork_mem=5MB" "-N5" "-i" "-F" ' +
    '"--config-file=/etc/x.conf" "-c" "fsync"\n';
  const values = [...commandLineSettings(opts)].map(([name, { value }]) => [name, value]);
  assert.deepEqual(Object.fromEntries(values), {
    archive_mode: "on",
    archive_command: 'cp "%p" /x',
    port: "5433",
    work_mem: "5MB",
    max_connections: "5",
    listen_addresses: "*",
    config_file: "/etc/x.conf",
    fsync: "on",
  });
});

Deno.test("the command line of a server that was given nothing sets nothing [FR-220]", () => {
  for (const opts of ["", "postgres", '/bin/postgres "-D" "x"\n', 'torn "-c" "a']) {
    assert.equal(commandLineSettings(opts).size, 0, opts);
  }
});
