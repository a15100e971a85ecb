// `npm start`: sets up what is missing, builds what is stale, serves, and deploys the guestbook on the first run.
// Further arguments go to `appengine serve`: npm start -- --port 9090
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { prepare, root } from './steps.mjs';

prepare();

const command = join(root, 'sdk', 'cli', 'bin', 'appengine.mjs');
const args = process.argv.slice(2);
const server = spawn(process.execPath, [command, 'serve', ...args], { cwd: root, stdio: ['inherit', 'pipe', 'inherit', 'ipc'] });

// Ctrl-C reaches the whole group by itself; a signal sent to this process alone is handed on.
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (!stopping) server.kill('SIGTERM');
    stopping = true;
  });
}
server.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 0 : 1);
});

/** The console's address, with a code that signs in once. */
let signIn;
for await (const line of createInterface({ input: server.stdout })) {
  if (line.startsWith('ready ')) await greet(line);
  else if (line.startsWith('Console ')) signIn = line.replace(/^Console +/, '');
  else process.stdout.write(`${line}\n`);
}

/** Deploys the guestbook when there is no app yet, says where things are, then prints the ready line. */
async function greet(readyLine) {
  const [, routerUrl = '', consoleUrl = ''] = /router=(\S+) console=(\S+)/.exec(readyLine) ?? [];
  const dataDirectory = optionValue('--data-dir');
  const common = ['--server', consoleUrl, ...(dataDirectory === undefined ? [] : ['--data-dir', dataDirectory])];
  const apps = await appengine(['apps', 'list', '--json', ...common], 'pipe');
  if (apps.code === 0 && JSON.parse(apps.output).apps.length === 0 && !stopping) {
    process.stdout.write('First run: deploying the sample app guestbook …\n');
    const deploy = await appengine(['deploy', join(root, 'sample-apps', 'guestbook'), '--app', 'guestbook', ...common], 'inherit');
    if (deploy.code !== 0 && !stopping) process.stdout.write('The guestbook could not be deployed; the platform runs without it.\n');
  }
  if (stopping) return;
  const port = new URL(routerUrl).port;
  process.stdout.write(
    `\n  Guestbook   http://guestbook.localhost:${port}/\n  Console     ${signIn ?? `${consoleUrl}/`}\n` +
      `  Deploy      npx appengine deploy DIR --app ID${consoleUrl.endsWith(':8000') ? '' : ` --server ${consoleUrl}`}\n  Stop        Ctrl-C\n\n`,
  );
  process.stdout.write(`${readyLine}\n`);
}

function optionValue(name) {
  const index = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`));
  if (index < 0) return undefined;
  return args[index].includes('=') ? args[index].slice(name.length + 1) : args[index + 1];
}

function appengine(commandArgs, output) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [command, ...commandArgs], { cwd: root, stdio: ['ignore', output, 'inherit'] });
    const chunks = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk));
    child.on('close', (code) => resolve({ code, output: Buffer.concat(chunks).toString() }));
  });
}
