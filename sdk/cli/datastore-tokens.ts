// `appengine datastore tokens …`: who reaches an app's data through the public datastore API.
import { type DatastoreTokenCreated, type DatastoreTokenRequest, type DatastoreTokenView } from '../contract/admin/datastore-tokens.ts';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { type CommandContext } from './command-context.ts';
import { formatTable, formatTime } from './table.ts';
import { withoutControl } from './terminal.ts';

export interface CreateTokenFlags {
  readonly app: string;
  readonly name?: string;
  readonly expires?: string;
  readonly readOnly?: boolean;
}

/** The secret alone goes to standard output, so that it can be sent into a file. */
export async function createToken(flags: CreateTokenFlags, { client, terminal, json }: CommandContext): Promise<void> {
  const created = await client.call<DatastoreTokenCreated>('POST', pathOf(flags.app), { json: requestOf(flags) });
  if (json) {
    terminal.printJson(created);
    return;
  }
  const { id, secret, expiresAtMs, access } = created;
  const until = expiresAtMs === undefined ? 'until it is deleted' : `until ${formatTime(expiresAtMs)} UTC`;
  terminal.say(`Token ${id} ${access === 'read-only' ? 'reads' : 'reads and writes'} the data of ${flags.app} ${until}.`);
  terminal.say('This is the only time that it is shown. Clients send it as `Authorization: Bearer TOKEN`; see docs/datastore-v1.md.');
  terminal.print(secret);
}

export async function listTokens(app: string, { client, terminal, json, clock }: CommandContext): Promise<void> {
  const answer = await client.call<{ tokens: DatastoreTokenView[] }>('GET', pathOf(app));
  if (json) terminal.printJson(answer);
  else if (answer.tokens.length === 0) terminal.say(`No tokens. Make one: appengine datastore tokens create --app ${app}`);
  else terminal.print(tokenTable(answer.tokens, clock.nowMs()));
}

export async function deleteToken(id: string, app: string, { client, terminal, json }: CommandContext): Promise<void> {
  await client.call('DELETE', `${pathOf(app)}/${encodeURIComponent(id)}`);
  if (json) terminal.printJson({ deleted: { id } });
  else terminal.print(`Deleted the token ${withoutControl(id)}; nothing is taken with it any more.`);
}

function tokenTable(tokens: readonly DatastoreTokenView[], nowMs: number): string {
  const rows = tokens.map(({ id, name, access, createdAtMs, usedAtMs, expiresAtMs }) => [
    id,
    withoutControl(name),
    access,
    formatTime(createdAtMs),
    usedAtMs === undefined ? '-' : formatTime(usedAtMs),
    expiresAtMs === undefined ? 'never' : `${formatTime(expiresAtMs)}${expiresAtMs <= nowMs ? ' (expired)' : ''}`,
  ]);
  return formatTable(['id', 'name', 'access', 'created (UTC)', 'last used (UTC)', 'expires (UTC)'], rows);
}

function requestOf({ name, expires, readOnly }: CreateTokenFlags): DatastoreTokenRequest {
  const days = expires === undefined ? undefined : Number(/^[1-9]\d{0,4}$/.exec(expires)?.[0]);
  if (days !== undefined && !(days <= LIMITS.datastoreTokenDaysMax)) {
    throw new PlatformError('USAGE', `--expires is "${expires}", want days from 1 to ${LIMITS.datastoreTokenDaysMax}`);
  }
  return {
    ...(name === undefined ? {} : { name }),
    ...(days === undefined ? {} : { expiresDays: days }),
    ...(readOnly === true ? { access: 'read-only' } : {}),
  };
}

function pathOf(app: string): string {
  return `/apps/${encodeURIComponent(app)}/datastore/tokens`;
}
