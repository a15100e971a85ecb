// `appengine datastore ttl …`: which property of a kind says when its entities are deleted.
import { type TtlPolicyAnswer, type TtlPolicyView } from '../contract/admin/ttl.ts';
import { type CommandContext } from './command-context.ts';
import { formatTable } from './table.ts';
import { withoutControl } from './terminal.ts';

export async function listTtl(app: string, { client, terminal, json }: CommandContext): Promise<void> {
  const answer = await client.call<{ policies: TtlPolicyView[] }>('GET', pathOf(app));
  if (json) terminal.printJson(answer);
  else if (answer.policies.length === 0) terminal.say('No TTL policies: nothing expires by itself.');
  else {
    const rows = answer.policies.map(({ kind, property }) => [withoutControl(kind), withoutControl(property)]);
    terminal.print(formatTable(['kind', 'property'], rows));
  }
}

export async function setTtl(kind: string, property: string, app: string, { client, terminal, json }: CommandContext): Promise<void> {
  const answer = await client.call<TtlPolicyAnswer>('PUT', `${pathOf(app)}/${encodeURIComponent(kind)}`, { json: { property } });
  if (json) {
    terminal.printJson(answer);
    return;
  }
  const [ofKind, ofProperty] = [withoutControl(kind), withoutControl(property)];
  terminal.print(`Entities of ${ofKind} are deleted once the time in ${ofProperty} has passed.`);
  if (!answer.isIndexed)
    terminal.say(`No ${ofKind} has an indexed ${ofProperty} yet: an entity whose ${ofProperty} is missing or not indexed never expires.`);
}

export async function clearTtl(kind: string, app: string, { client, terminal, json }: CommandContext): Promise<void> {
  await client.call('DELETE', `${pathOf(app)}/${encodeURIComponent(kind)}`);
  if (json) terminal.printJson({ cleared: kind });
  else terminal.print(`Entities of ${withoutControl(kind)} do not expire any more.`);
}

function pathOf(app: string): string {
  return `/apps/${encodeURIComponent(app)}/datastore/ttl`;
}
