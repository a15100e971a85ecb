// An app's mail from the command line.
import { type Command } from 'commander';
import { type MailSummaryView, type MailView } from '../contract/admin/data.ts';
import { PlatformError } from '../contract/errors.ts';
import { type CommandContext, type CommonFlags } from './command-context.ts';
import { type CommandMaker } from './command-maker.ts';
import { formatBytes, formatTable, formatTime } from './table.ts';
import { withoutControl } from './terminal.ts';

interface AppFlags {
  readonly app: string;
}

export function mailCommands(program: Command, { command, asked }: CommandMaker): void {
  const mail = program.command('mail').description('mail that an app sent');
  command(mail, 'list', 'list the messages, newest first', ['mail list --app hello', 'mail list --app hello --limit 5 --json'])
    .requiredOption('--app <id>', 'the app')
    .option('--limit <number>', 'messages at most, up to 200', '20')
    .action((flags: CommonFlags & AppFlags & { limit: string }) => asked(flags, (context) => listMail(flags, context)));
  command(mail, 'show', 'print a message, and how its delivery goes', ['mail show 0mf3kq2a1-5b0c9d2e4f61 --app hello'])
    .argument('<id>', "the message's id, as the list shows it")
    .requiredOption('--app <id>', 'the app')
    .action((id: string, flags: CommonFlags & AppFlags) => asked(flags, (context) => showMail(id, flags, context)));
  command(mail, 'delete', 'delete a message; one that waits is not delivered', ['mail delete 0mf3kq2a1-5b0c9d2e4f61 --app hello'])
    .argument('<id>', "the message's id, as the list shows it")
    .requiredOption('--app <id>', 'the app')
    .action((id: string, flags: CommonFlags & AppFlags) => asked(flags, (context) => deleteMail(id, flags, context)));
}

async function listMail({ app, limit }: AppFlags & { readonly limit: string }, { client, terminal, json }: CommandContext): Promise<void> {
  if (!/^[1-9]\d{0,3}$/.test(limit)) throw new PlatformError('USAGE', `--limit is "${limit}", want a number of messages`);
  const answer = await client.call<{ messages: MailSummaryView[] }>('GET', `${pathOf(app)}?limit=${limit}`);
  if (json) terminal.printJson(answer);
  else if (answer.messages.length === 0) terminal.say('The app has sent no mail.');
  else {
    const rows = answer.messages.map((message) => [
      message.id,
      formatTime(message.sentAtMs),
      message.state,
      formatBytes(message.bytes),
      withoutControl(message.to.join(', ')),
      withoutControl(message.subject),
    ]);
    terminal.print(formatTable(['id', 'sent (UTC)', 'state', 'size', 'to', 'subject'], rows));
  }
}

async function showMail(id: string, { app }: AppFlags, { client, terminal, json }: CommandContext): Promise<void> {
  const message = await client.call<MailView>('GET', `${pathOf(app)}/${encodeURIComponent(id)}`);
  if (json) {
    terminal.printJson(message);
    return;
  }
  const line = (title: string, text: string): void => {
    if (text !== '') terminal.print(`${`${title}:`.padEnd(10)}${withoutControl(text)}`);
  };
  line('From', message.from);
  line('To', message.to.join(', '));
  line('Cc', message.cc.join(', '));
  line('Bcc', message.bcc.join(', '));
  line('Reply-To', message.replyTo ?? '');
  line('Subject', message.subject);
  line('Sent', `${formatTime(message.sentAtMs)} UTC`);
  line('State', `${message.state}${message.failure === undefined ? '' : `: ${message.failure}`}`);
  for (const file of message.files) line('Attached', `${file.name} (${file.contentType}, ${formatBytes(file.bytes)})`);
  terminal.print('');
  terminal.print(withoutControl((message.text ?? message.html ?? '').replaceAll('\r\n', '\n').trimEnd()));
}

async function deleteMail(id: string, { app }: AppFlags, { client, terminal, json }: CommandContext): Promise<void> {
  await client.call('DELETE', `${pathOf(app)}/${encodeURIComponent(id)}`);
  if (json) terminal.printJson({ deleted: { app, id } });
  else terminal.print(`Deleted message ${withoutControl(id)}.`);
}

const pathOf = (app: string): string => `/apps/${encodeURIComponent(app)}/mail`;
