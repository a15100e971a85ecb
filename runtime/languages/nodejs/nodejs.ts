// Node.js apps of any framework: `nodejs` on the Node that runs the platform, nodejs20 and its like on that major.
// Read next: start-command.ts, build-steps.ts, and preload.cjs for what runs inside the app's process.
import { type AppManifest } from '../../../sdk/contract/app-manifest/manifest.ts';
import { PLATFORM_DIRECTORY, RUNTIMES_DIRECTORY } from '../../sandbox/port.ts';
import { type ForwardedCommand, forwarded } from '../forwarder/forwarded.ts';
import { type Language, type LanguagePlan, type PlanContext, type SourceTree } from '../port.ts';
import { type BuildNode, planBuild } from './build-steps.ts';
import { NODE_RELEASES, nodePackages, type NodeRelease, OWN_NODE_MAJOR, releaseOf, runtimeName } from './node-releases.ts';
import { type PackageJson, readPackageJson } from './package-json.ts';
import { satisfiesRange } from './node-range.ts';
import { startCommand, startsNode } from './start-command.ts';
import { compileSteps } from './typescript-entry.ts';

const PRELOAD = `${PLATFORM_DIRECTORY}/nodejs/preload.cjs`;
/** No flags of V8 here: any of them makes it drop its compiled code, which costs 13 ms at each start. */
const NODE_OPTIONS = `--require="${PRELOAD}"`;

export const nodejs: Language = {
  name: 'nodejs',
  runtimes: ['nodejs', ...NODE_RELEASES.map(({ major }) => runtimeName(major))],
  runtimePackages: nodePackages(process.platform, process.arch),
  ownRuntimes: [runtimeName(OWN_NODE_MAJOR)],

  async plan(manifest: AppManifest, source: SourceTree, { nowMs }: PlanContext): Promise<LanguagePlan> {
    const json = await readPackageJson(source);
    const { command, typescript } = await startCommand(manifest, json, source);
    const release = releaseOf(manifest.runtime);
    const compile = compileSteps(typescript, release?.major ?? OWN_NODE_MAJOR);
    const node = buildNode(manifest.runtime, release);
    const build = await planBuild(node, json, source, compile);
    const options = typescript.length === 0 ? NODE_OPTIONS : `${NODE_OPTIONS} --enable-source-maps`;
    const theirs = manifest.environment['NODE_OPTIONS'];
    // The app's variables win over the language's, but without the preload nothing could reach the app: so both.
    const start = theirs === undefined ? command : ['env', `NODE_OPTIONS=${options} ${theirs}`, ...command];
    const plain: ForwardedCommand = { command: start, environment: {} };
    const { command: full, environment } = startsNode(manifest, json) ? plain : forwarded(start);
    return {
      ...(release === undefined ? {} : { runtime: runtimeName(release.major) }),
      notes: [...runtimeNotes(release, nowMs), ...engineNotes(json, node.version, manifest.runtime)],
      ...build,
      command: full,
      environment: { ...build.environment, ...environment, NODE_OPTIONS: options },
    };
  },
};

/** What builds and instances run on. */
function buildNode(runtime: string, release: NodeRelease | undefined): BuildNode {
  if (release === undefined || release.major === OWN_NODE_MAJOR) return { runtime, version: process.versions.node };
  return { runtime, version: release.version, headers: `${RUNTIMES_DIRECTORY}/${runtimeName(release.major)}` };
}

function runtimeNotes(release: NodeRelease | undefined, nowMs: number): readonly string[] {
  if (release === undefined || nowMs < Date.parse(release.endOfLife)) return [];
  const current = NODE_RELEASES.filter(({ endOfLife }) => nowMs < Date.parse(endOfLife)).at(-1);
  const instead = current === undefined ? '' : `; runtime: ${runtimeName(current.major)} is current`;
  return [`Node ${release.major} is past its end of life (${release.endOfLife}): it gets no security fixes${instead}`];
}

/** The platform goes by app.yaml: App Engine for Node.js reads the version there, and not in package.json. */
function engineNotes({ engines }: PackageJson, version: string, runtime: string): readonly string[] {
  const wanted = engines?.node;
  if (wanted === undefined || satisfiesRange(version, wanted) !== false) return [];
  return [`package.json wants Node ${wanted} ("engines"), and runtime: ${runtime} is Node ${version}: the app runs on that`];
}
