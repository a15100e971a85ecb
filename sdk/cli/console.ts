// `appengine console`: a one-time link that signs a browser in.
import { type SignInLinkView } from '../contract/admin/session.ts';
import { type CommandContext } from './command-context.ts';

export interface ConsoleFlags {
  readonly open?: boolean;
}

/** The link is printed also when a browser takes it: who has none at hand copies it. */
export async function showConsole({ open = false }: ConsoleFlags, context: CommandContext): Promise<void> {
  const { client, terminal, json, clock, openBrowser } = context;
  const link = await client.call<SignInLinkView>('POST', '/sign-in-links');
  if (json) terminal.printJson(link);
  else terminal.print(link.url);
  const minutes = Math.max(1, Math.round((link.expiresAtMs - clock.nowMs()) / 60_000));
  if (!json) terminal.say(`It signs in one browser, once, within ${minutes} minutes.`);
  if (open && !(await openBrowser(link.url))) terminal.say('No browser could be opened from here: open the link by hand.');
}
