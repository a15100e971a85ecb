// `appengine accounts`: the people who sign in to apps.
import { type Command } from 'commander';
import { type AccountChange, type AccountRequest, type AccountView } from '../contract/admin/session.ts';
import { PlatformError } from '../contract/errors.ts';
import { type CommandContext, type CommonFlags } from './command-context.ts';
import { type CommandMaker } from './command-maker.ts';
import { formatTable, formatTime } from './table.ts';

interface AccountFlags {
  readonly adminOf?: string;
  readonly passwordStdin?: boolean;
}

interface AccountSetFlags extends AccountFlags {
  readonly password?: boolean;
}

export function accountCommands(program: Command, { command, asked }: CommandMaker): void {
  const accounts = program.command('accounts').description('people who sign in to apps');
  command(accounts, 'list', 'list the accounts', ['accounts list', 'accounts list --json']).action((flags: CommonFlags) =>
    asked(flags, listAccounts),
  );
  command(accounts, 'add', 'make an account; asks for its password', [
    'accounts add ada@example.com',
    'accounts add ada@example.com --admin-of shop,blog',
    'accounts add root@example.com --admin-of "*" --password-stdin < password.txt',
  ])
    .argument('<email>', 'its e-mail address')
    .option('--admin-of <apps>', 'apps that it administers, separated by commas; "*" is all of them')
    .option('--password-stdin', 'read the password from standard input')
    .action((email: string, flags: CommonFlags & AccountFlags) => asked(flags, (context) => addAccount(email, flags, context)));
  command(accounts, 'set', 'change an account, which ends its sessions; asks for a new password unless only --admin-of is given', [
    'accounts set ada@example.com',
    'accounts set ada@example.com --admin-of shop',
    'accounts set ada@example.com --admin-of ""',
  ])
    .argument('<email>', 'its e-mail address')
    .option('--admin-of <apps>', 'apps that it administers, instead of those before; "" is none')
    .option('--password', 'ask for a new password as well')
    .option('--password-stdin', 'read the new password from standard input')
    .action((email: string, flags: CommonFlags & AccountSetFlags) => asked(flags, (context) => setAccount(email, flags, context)));
  command(accounts, 'delete', 'delete an account, which ends its sessions', ['accounts delete ada@example.com'])
    .argument('<email>', 'its e-mail address')
    .action((email: string, flags: CommonFlags) => asked(flags, (context) => deleteAccount(email, context)));
}

async function listAccounts({ client, terminal, json }: CommandContext): Promise<void> {
  const answer = await client.call<{ accounts: AccountView[] }>('GET', '/accounts');
  if (json) terminal.printJson(answer);
  else if (answer.accounts.length === 0) terminal.say('No accounts yet. Make one: appengine accounts add EMAIL');
  else terminal.print(accountTable(answer.accounts));
}

async function addAccount(email: string, flags: AccountFlags, context: CommandContext): Promise<void> {
  const password = await readPassword(email, flags, context);
  const request: AccountRequest = { email, password, ...adminOfFlag(flags) };
  print(await context.client.call<AccountView>('POST', '/accounts', { json: request }), 'Added', context);
}

/** Changes what is named, and asks for a new password when nothing is. */
async function setAccount(email: string, flags: AccountSetFlags, context: CommandContext): Promise<void> {
  const wantsPassword = flags.passwordStdin === true || flags.password === true || flags.adminOf === undefined;
  const change: AccountChange = {
    ...adminOfFlag(flags),
    ...(wantsPassword ? { password: await readPassword(email, flags, context) } : {}),
  };
  print(await context.client.call<AccountView>('PATCH', pathOf(email), { json: change }), 'Changed', context);
}

async function deleteAccount(email: string, { client, terminal, json }: CommandContext): Promise<void> {
  await client.call('DELETE', pathOf(email));
  if (json) terminal.printJson({ deleted: { email } });
  else terminal.print(`Deleted the account ${email}; its sessions have ended.`);
}

function print(account: AccountView, what: string, { terminal, json }: CommandContext): void {
  if (json) terminal.printJson(account);
  else terminal.print(`${what} the account ${account.email}; ${adminText(account)}.`);
}

function adminText({ adminOf }: AccountView): string {
  if (adminOf.includes('*')) return 'an administrator of every app';
  return adminOf.length === 0 ? 'an administrator of no app' : `an administrator of ${adminOf.join(', ')}`;
}

function accountTable(accounts: readonly AccountView[]): string {
  const rows = accounts.map(({ email, adminOf, createdAtMs }) => [
    email,
    adminOf.includes('*') ? 'every app' : adminOf.join(', '),
    formatTime(createdAtMs),
  ]);
  return formatTable(['e-mail', 'administrator of', 'created (UTC)'], rows);
}

async function readPassword(email: string, flags: AccountFlags, { passwords }: CommandContext): Promise<string> {
  if (flags.passwordStdin === true) return passwords.fromInput();
  const password = await passwords.ask(`Password for ${email}: `);
  if ((await passwords.ask('The same once more: ')) !== password) throw new PlatformError('USAGE', 'the two passwords differ');
  return password;
}

/** `--admin-of shop,blog`; an empty text takes the right away from all. */
function adminOfFlag({ adminOf }: AccountFlags): { readonly adminOf?: readonly string[] } {
  if (adminOf === undefined) return {};
  const apps = adminOf.split(',').map((app) => app.trim());
  return { adminOf: apps.filter((app) => app !== '') };
}

function pathOf(email: string): string {
  return `/accounts/${encodeURIComponent(email)}`;
}
