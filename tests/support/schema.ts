/**
 * Holds what a command prints against its published schema.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Ajv } from "ajv";

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true });

/** Parses `text`, and fails unless it is what `cli/schemas/NAME.json` describes. */
export function parseDocument(
  name: "show" | "status" | "doctor" | "mount" | "verify",
  text: string,
) {
  const data = JSON.parse(text);
  const path = new URL(`../../cli/schemas/${name}.json`, import.meta.url);
  const schema = JSON.parse(Deno.readTextFileSync(path));
  const isValid = ajv.getSchema(schema.title) ?? ajv.compile({ ...schema, $id: schema.title });
  assert(isValid(data), `not a ${schema.title}: ${ajv.errorsText(isValid.errors)}`);
  return data;
}
