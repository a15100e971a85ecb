// Any program: one that the app brings with it, such as a Go binary, or one of this system, such as a shell script or Ruby.
// Nothing is built; it must listen on $PORT.
// Read next: ../forwarder/forwarded.ts.
import { type AppManifest } from '../../../sdk/contract/app-manifest/manifest.ts';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { forwarded } from '../forwarder/forwarded.ts';
import { type Language, type LanguagePlan } from '../port.ts';
import { shellCommand } from '../shell-command.ts';

export const custom: Language = {
  name: 'custom',
  runtimes: ['custom'],

  plan({ entrypoint }: AppManifest): Promise<LanguagePlan> {
    if (entrypoint === undefined) {
      const reason = '`runtime: custom` starts nothing by itself; add an `entrypoint:`, such as `entrypoint: ./server`';
      return Promise.reject(new PlatformError('MANIFEST_INVALID', reason, { details: { file: 'app.yaml' } }));
    }
    return Promise.resolve({ buildSteps: [], buildOutputs: [], ...forwarded(shellCommand(entrypoint)) });
  },
};
