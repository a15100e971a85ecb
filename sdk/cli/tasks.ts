// An app's push queues, their tasks, and its cron jobs from the command line.
import { type Command } from 'commander';
import { type CronJobView, type QueueView, type TaskView } from '../contract/admin/tasks.ts';
import { type CommandContext, type CommonFlags } from './command-context.ts';
import { type CommandMaker } from './command-maker.ts';
import { formatBytes, formatCount, formatTable, formatTime } from './table.ts';

interface AppFlags {
  readonly app: string;
}

interface QueueFlags extends AppFlags {
  readonly queue: string;
}

export function taskCommands(program: Command, maker: CommandMaker): void {
  tasksCommands(program, maker);
  queuesCommands(program, maker);
  cronCommands(program, maker);
}

function tasksCommands(program: Command, { command, asked }: CommandMaker): void {
  const tasks = program.command('tasks').description('tasks of a queue');
  const withQueue = (made: Command): Command =>
    made.requiredOption('--app <id>', 'the app').option('--queue <name>', 'the queue', 'default');
  withQueue(
    command(tasks, 'list', 'list the next tasks by the time they are due', [
      'tasks list --app hello',
      'tasks list --app hello --queue mail',
    ]),
  )
    .option('--limit <number>', 'at most so many', '50')
    .action((flags: CommonFlags & QueueFlags & { limit: string }) => asked(flags, (context) => listTasks(flags, context)));
  withQueue(command(tasks, 'run', 'make a task due now', ['tasks run send-42 --app hello --queue mail']))
    .argument('<task>', 'name of the task')
    .action((task: string, flags: CommonFlags & QueueFlags) => asked(flags, (context) => runTask(task, flags, context)));
  withQueue(command(tasks, 'delete', 'delete a task', ['tasks delete send-42 --app hello --queue mail']))
    .argument('<task>', 'name of the task')
    .action((task: string, flags: CommonFlags & QueueFlags) => asked(flags, (context) => deleteTask(task, flags, context)));
}

function queuesCommands(program: Command, { command, asked }: CommandMaker): void {
  const queues = program.command('queues').description("an app's push queues");
  command(queues, 'list', 'list the queues', ['queues list --app hello'])
    .requiredOption('--app <id>', 'the app')
    .action((flags: CommonFlags & AppFlags) => asked(flags, (context) => listQueues(flags.app, context)));
  for (const [verb, description] of [
    ['pause', 'start no more of its tasks'],
    ['resume', 'go on with a paused queue'],
  ] as const) {
    command(queues, verb, description, [`queues ${verb} mail --app hello`])
      .argument('<queue>', 'the queue')
      .requiredOption('--app <id>', 'the app')
      .action((queue: string, flags: CommonFlags & AppFlags) => asked(flags, (context) => switchQueue(verb, queue, flags.app, context)));
  }
  command(queues, 'purge', 'delete every task of a queue', ['queues purge mail --app hello'])
    .argument('<queue>', 'the queue')
    .requiredOption('--app <id>', 'the app')
    .action((queue: string, flags: CommonFlags & AppFlags) => asked(flags, (context) => purgeQueue(queue, flags.app, context)));
}

function cronCommands(program: Command, { command, asked }: CommandMaker): void {
  const cron = program.command('cron').description("an app's cron jobs");
  command(cron, 'list', 'list the jobs with their last and next runs', ['cron list --app hello'])
    .requiredOption('--app <id>', 'the app')
    .action((flags: CommonFlags & AppFlags) => asked(flags, (context) => listCronJobs(flags.app, context)));
  command(cron, 'run', 'run a job now', ['cron run 1f0c5b2e9a4d7c83 --app hello'])
    .argument('<job>', 'id of the job, as `cron list` shows it')
    .requiredOption('--app <id>', 'the app')
    .action((job: string, flags: CommonFlags & AppFlags) => asked(flags, (context) => runCronJob(job, flags.app, context)));
}

async function listTasks(flags: QueueFlags & { readonly limit: string }, { client, terminal, json }: CommandContext): Promise<void> {
  const path = `${queuePath(flags.app, flags.queue)}/tasks?limit=${encodeURIComponent(flags.limit)}`;
  const answer = await client.call<{ tasks: TaskView[] }>('GET', path);
  if (json) terminal.printJson(answer);
  else if (answer.tasks.length === 0) terminal.say(`The queue ${flags.queue} is empty.`);
  else {
    const rows = answer.tasks.map((task) => [
      task.name,
      task.state,
      formatTime(task.etaMs),
      String(task.retries),
      task.lastStatus === undefined ? '' : String(task.lastStatus),
      task.method,
      task.url,
      formatBytes(task.bytes),
    ]);
    terminal.print(formatTable(['task', 'state', 'due (UTC)', 'retries', 'last', 'method', 'url', 'size'], rows));
  }
}

async function runTask(task: string, flags: QueueFlags, { client, terminal, json }: CommandContext): Promise<void> {
  await client.call('POST', `${queuePath(flags.app, flags.queue)}/tasks/${encodeURIComponent(task)}/run`);
  if (json) terminal.printJson({ run: { ...identity(flags), task } });
  else terminal.print(`Task ${task} is due now.`);
}

async function deleteTask(task: string, flags: QueueFlags, { client, terminal, json }: CommandContext): Promise<void> {
  await client.call('DELETE', `${queuePath(flags.app, flags.queue)}/tasks/${encodeURIComponent(task)}`);
  if (json) terminal.printJson({ deleted: { ...identity(flags), task } });
  else terminal.print(`Deleted task ${task} of queue ${flags.queue}.`);
}

async function listQueues(app: string, { client, terminal, json }: CommandContext): Promise<void> {
  const answer = await client.call<{ queues: QueueView[] }>('GET', `${appPath(app)}/queues`);
  if (json) {
    terminal.printJson(answer);
    return;
  }
  const rows = answer.queues.map((queue) => [
    queue.name,
    queue.isPaused ? 'paused' : 'running',
    queue.rate,
    String(queue.bucketSize),
    String(queue.tasks),
    String(queue.running),
    queue.oldestEtaMs === undefined ? '' : formatTime(queue.oldestEtaMs),
    `${queue.executedLastMinute} (${queue.failedLastMinute} failed)`,
  ]);
  terminal.print(formatTable(['queue', 'state', 'rate', 'bucket', 'tasks', 'under way', 'next due (UTC)', 'last minute'], rows));
}

async function switchQueue(
  verb: 'pause' | 'resume',
  queue: string,
  app: string,
  { client, terminal, json }: CommandContext,
): Promise<void> {
  const view = await client.call<QueueView>('POST', `${queuePath(app, queue)}/${verb}`);
  if (json) terminal.printJson(view);
  else terminal.print(`Queue ${queue} is ${view.isPaused ? 'paused' : 'running'}, with ${formatCount(view.tasks, 'task')}.`);
}

async function purgeQueue(queue: string, app: string, { client, terminal, json }: CommandContext): Promise<void> {
  const answer = await client.call<{ purged: number }>('POST', `${queuePath(app, queue)}/purge`);
  if (json) terminal.printJson(answer);
  else terminal.print(`Deleted ${formatCount(answer.purged, 'task')} of queue ${queue}.`);
}

async function listCronJobs(app: string, { client, terminal, json }: CommandContext): Promise<void> {
  const answer = await client.call<{ jobs: CronJobView[] }>('GET', `${appPath(app)}/cron`);
  if (json) terminal.printJson(answer);
  else if (answer.jobs.length === 0) terminal.say('No cron jobs: deploy a cron.yaml to have some.');
  else {
    const rows = answer.jobs.map((job) => [
      job.id,
      job.url,
      job.timezone === 'UTC' ? job.schedule : `${job.schedule} (${job.timezone})`,
      job.lastRunAtMs === undefined ? '' : formatTime(job.lastRunAtMs),
      job.lastStatus === undefined ? '' : String(job.lastStatus),
      job.nextRunAtMs === undefined ? 'never' : formatTime(job.nextRunAtMs),
      job.description,
    ]);
    terminal.print(formatTable(['job', 'url', 'schedule', 'last run (UTC)', 'status', 'next run (UTC)', 'description'], rows));
  }
}

async function runCronJob(job: string, app: string, { client, terminal, json }: CommandContext): Promise<void> {
  const view = await client.call<CronJobView>('POST', `${appPath(app)}/cron/${encodeURIComponent(job)}/run`);
  if (json) terminal.printJson(view);
  else terminal.print(`Job ${view.id} runs: ${view.url}`);
}

function identity({ app, queue }: QueueFlags): QueueFlags {
  return { app, queue };
}

function appPath(app: string): string {
  return `/apps/${encodeURIComponent(app)}`;
}

function queuePath(app: string, queue: string): string {
  return `${appPath(app)}/queues/${encodeURIComponent(queue)}`;
}
