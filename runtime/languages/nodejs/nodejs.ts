// Node.js apps of any framework, on the Node that runs the platform.
// Read next: start-command.ts, build-steps.ts, and preload.cjs for what runs inside the app's process.
import { type AppManifest } from '../../../sdk/contract/app-manifest/manifest.ts';
import { PLATFORM_DIRECTORY } from '../../sandbox/port.ts';
import { type Language, type LanguagePlan, type SourceTree } from '../port.ts';
import { planBuild } from './build-steps.ts';
import { readPackageJson } from './package-json.ts';
import { startCommand } from './start-command.ts';

const PRELOAD = `${PLATFORM_DIRECTORY}/nodejs/preload.cjs`;
/** No flags of V8 here: any of them makes it drop its compiled code, which costs 13 ms at each start. */
const NODE_OPTIONS = `--require="${PRELOAD}"`;

export const nodejs: Language = {
  name: 'nodejs',
  runtimes: ['nodejs', 'nodejs20'],

  async plan(manifest: AppManifest, source: SourceTree): Promise<LanguagePlan> {
    const json = await readPackageJson(source);
    const command = startCommand(manifest, json, source);
    const build = await planBuild(manifest.runtime, json, source);
    const theirs = manifest.environment['NODE_OPTIONS'];
    return {
      ...build,
      // The app's variables win over the language's, but without the preload nothing could reach the app: so both.
      command: theirs === undefined ? command : ['env', `NODE_OPTIONS=${NODE_OPTIONS} ${theirs}`, ...command],
      environment: { NODE_OPTIONS },
    };
  },
};
