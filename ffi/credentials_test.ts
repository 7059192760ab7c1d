import assert from "node:assert/strict";
import { accountOf, asRoot, hasRootBehind } from "./credentials.ts";

const IS_ROOT = Deno.uid() === 0;
const NOBODY = { uid: 65534, gid: 65534, groups: [65534] };
const MODULE = new URL("./credentials.ts", import.meta.url).href;

/** What a process prints that runs `code` with the functions of this module: a change is for good. */
async function run(code: string, starter: readonly string[] = []): Promise<unknown> {
  const script = `import { accountOf, actAs, asRoot, hasRootBehind } from "${MODULE}";\n${code}`;
  const [program = "", ...args] = [...starter, Deno.execPath(), "eval", script];
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: "/",
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

const become = `actAs(${JSON.stringify(NOBODY)});
const tries = (body) => { try { body(); return "yes"; } catch (error) { return error.name; } };
const shadow = () => Deno.readTextFileSync("/etc/shadow");
const say = (data) => console.log(JSON.stringify(data));`;

Deno.test({
  name: "who acts for a user has that user's rights in every thread, and in new ones [FR-860]",
  ignore: !IS_ROOT,
  async fn() {
    const worker = `self.onmessage = () => {
      try { Deno.readTextFileSync("/etc/shadow"); self.postMessage("yes"); }
      catch (error) { self.postMessage(error.name); }
    };`;
    const found = await run(`
      const source = "data:text/javascript," + encodeURIComponent(${JSON.stringify(worker)});
      const start = () => new Worker(source, { type: "module" });
      const ask = (worker) => new Promise((resolve) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.postMessage("");
      });
      const early = start();
      const before = await ask(early);
      ${become}
      const late = start();
      const ids = [...Deno.readDirSync("/proc/self/task")].map(({ name }) =>
        /Uid:\\t(.*)/.exec(Deno.readTextFileSync("/proc/self/task/" + name + "/status"))[1]);
      const child = new Deno.Command("id", { args: ["-u"] }).outputSync().stdout;
      say({
        before, main: tries(shadow), early: await ask(early), late: await ask(late),
        io: await Deno.readTextFile("/etc/shadow").catch((error) => error.name),
        ids: [...new Set(ids)], uid: Deno.uid(), behind: hasRootBehind(),
        child: Number(new TextDecoder().decode(child)),
        groups: /Groups:\\t(.*)/.exec(Deno.readTextFileSync("/proc/self/status"))[1].trim(),
      });
      Deno.exit(0);
    `);
    const denied = "PermissionDenied";
    assert.deepEqual(found, {
      ...{ before: "yes", main: denied, early: denied, late: denied, io: denied },
      ids: ["65534\t65534\t0\t65534"],
      ...{ uid: 65534, behind: true, child: 65534, groups: "65534" },
    });
  },
});

Deno.test({
  name: "a single call can be made as root, by the thread that makes it alone [FR-860]",
  ignore: !IS_ROOT,
  async fn() {
    const found = await run(`
      ${become}
      const others = () => [...Deno.readDirSync("/proc/self/task")]
        .filter(({ name }) => name !== String(Deno.pid)).map(({ name }) =>
          /Uid:\\t\\d+\\t(\\d+)/.exec(Deno.readTextFileSync("/proc/self/task/" + name + "/status"))[1]);
      const during = asRoot(() => [tries(shadow), ...new Set(others())]);
      const thrown = tries(() => asRoot(() => { throw new RangeError("no"); }));
      say({ during, thrown, after: tries(shadow) });
    `);
    assert.deepEqual(found, {
      ...{ during: ["yes", "65534"], thrown: "RangeError", after: "PermissionDenied" },
    });
  },
});

Deno.test({
  name: "where capabilities would stay with the process, it does not act for a user [FR-860]",
  ignore: !IS_ROOT,
  async fn() {
    const found = await run(
      `let code;
      try { actAs(${JSON.stringify(NOBODY)}); } catch (error) { code = error.code; }
      console.log(JSON.stringify(code));`,
      ["setpriv", "--securebits", "+no_setuid_fixup"],
    );
    assert.equal(found, "PermissionDenied");
  },
});

Deno.test("without root behind, what root may do fails as it would [FR-860]", async () => {
  assert.equal(hasRootBehind(), false);
  assert.equal(asRoot(() => "called"), "called");
  if (IS_ROOT) return;
  const found = await run(`
    let code;
    try { actAs(${JSON.stringify(NOBODY)}); } catch (error) { code = error.code; }
    console.log(JSON.stringify(code));
  `);
  assert.equal(found, "Io");
});

Deno.test("an account has the groups that the system gives it [FR-860]", async () => {
  const id = async (flag: string) => {
    const { stdout } = await new Deno.Command("id", { args: [flag] }).output();
    return new TextDecoder().decode(stdout).trim().split(" ").map(Number);
  };
  const [uid, gid] = [Deno.uid() as number, Deno.gid() as number];
  const { groups, ...ids } = accountOf({ uid, gid });
  assert.deepEqual(ids, { uid, gid });
  assert(groups.includes(gid));
  // Who has logged in may have more groups than the database gives; never fewer.
  const own = await id("-G");
  assert(groups.every((group) => own.includes(group)) || IS_ROOT);
  assert.deepEqual(accountOf({ uid: 4_000_000, gid: 7 }), { uid: 4_000_000, gid: 7, groups: [7] });
});
