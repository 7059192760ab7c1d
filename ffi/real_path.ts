/**
 * Paths as the user gives them, made absolute and free of symbolic links.
 *
 * @module
 */

import { systemLibc } from "./libc.ts";
import { trustedPath } from "./trusted_path.ts";

/** An absolute path without `.`, `..` or a slash at its end. */
export function absolute(path: string): string {
  const parts: string[] = [];
  const from = path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
  for (const part of from.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/**
 * A path without symbolic links, for what is there. Root is led by links of root's only, or of who
 * owns what they lead to, see {@link trustedPath}.
 */
export function realPath(path: string): string {
  if (Deno.uid() !== 0) return Deno.realPathSync(path);
  const real = trustedPath(systemLibc(), absolute(path));
  Deno.lstatSync(real);
  return real;
}

/** As {@link realPath}, but the last parts need not be there. @param path Absolute. */
export function realPathOf(path: string): string {
  if (Deno.uid() === 0) return trustedPath(systemLibc(), path);
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const slash = path.lastIndexOf("/");
    const parent = path.slice(0, slash);
    return parent === "" ? path : `${realPathOf(parent)}${path.slice(slash)}`;
  }
}
