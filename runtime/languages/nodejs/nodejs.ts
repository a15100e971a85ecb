// Node.js apps of any framework: `nodejs` on the Node that runs the platform, nodejs20 and its like on that major.
// Read next: start-command.ts, build-steps.ts, and preload.cjs for what runs inside the app's process.
import { type AppManifest } from '../../../sdk/contract/app-manifest/manifest.ts';
import { PLATFORM_DIRECTORY } from '../../sandbox/port.ts';
import { type Language, type LanguagePlan, type PlanContext, type SourceTree } from '../port.ts';
import { planBuild } from './build-steps.ts';
import { NODE_RELEASES, nodePackages, type NodeRelease, OWN_NODE_MAJOR, releaseOf, runtimeName } from './node-releases.ts';
import { readPackageJson } from './package-json.ts';
import { startCommand } from './start-command.ts';

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
    const command = startCommand(manifest, json, source);
    const release = releaseOf(manifest.runtime);
    const build = await planBuild(manifest.runtime, nodeVersion(release), json, source);
    const theirs = manifest.environment['NODE_OPTIONS'];
    return {
      ...(release === undefined ? {} : { runtime: runtimeName(release.major) }),
      notes: runtimeNotes(release, nowMs),
      ...build,
      // The app's variables win over the language's, but without the preload nothing could reach the app: so both.
      command: theirs === undefined ? command : ['env', `NODE_OPTIONS=${NODE_OPTIONS} ${theirs}`, ...command],
      environment: { NODE_OPTIONS },
    };
  },
};

/** Of what builds and instances run on. */
function nodeVersion(release: NodeRelease | undefined): string {
  return release === undefined || release.major === OWN_NODE_MAJOR ? process.versions.node : release.version;
}

function runtimeNotes(release: NodeRelease | undefined, nowMs: number): readonly string[] {
  if (release === undefined || nowMs < Date.parse(release.endOfLife)) return [];
  const current = NODE_RELEASES.filter(({ endOfLife }) => nowMs < Date.parse(endOfLife)).at(-1);
  const instead = current === undefined ? '' : `; runtime: ${runtimeName(current.major)} is current`;
  return [`Node ${release.major} is past its end of life (${release.endOfLife}): it gets no security fixes${instead}`];
}
