/**
 * PostgreSQL's own facts: which versions are installed, what a clone must not do, and a server
 * on a data directory.
 *
 * @module
 */

export { type CloneHazard, cloneHazards, isElsewhere } from "./clone_hazards.ts";
export { cloneParameters, cloneSettings } from "./clone_settings.ts";
export { commandLineSettings } from "./command_line.ts";
export {
  AUTO_CONF,
  type ConfigFiles,
  type Configuration,
  MAIN_CONF,
  readConfiguration,
} from "./configuration.ts";
export { GUARD_CONF, guardText, missingInclude, missingSettings } from "./guard.ts";
export { commandAs, type Identity, isRoot, ownerOf } from "./identity.ts";
export {
  findInstallation,
  type Installation,
  listInstallations,
  majorVersionOf,
  parseMajorVersion,
  tryFindInstallation,
} from "./installation.ts";
export { databaseFile, LOGIN_TRIGGERS_SINCE, loginTriggerDatabases } from "./login_triggers.ts";
export { thisMachine, userNameOf } from "./machine.ts";
export {
  type FitOptions,
  type Machine,
  machineNotes,
  machineSettings,
  valuesOf,
} from "./machine_settings.ts";
export { checkPage, firstBlockOf, hasDataChecksums, type PageState } from "./page_checksum.ts";
export { killProcessesIn, processesIn, waitUntilReaped } from "./processes.ts";
export {
  forUs,
  type ServerCommands,
  serverCommands,
  type ShellCommand,
} from "./server_commands.ts";
export { stopServer } from "./stop_server.ts";
export { PostgresServer, type ServerOptions, type StopMode } from "./server.ts";
