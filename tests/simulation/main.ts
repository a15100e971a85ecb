// `npm run simulate [-- TRACE …]`: our scheduler beside Knative's and dev_appserver's rules, in virtual time.
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { comparisonTable } from './comparison-table.ts';
import { compare, type Comparison } from './comparison.ts';
import { CsvError, parseInvocationCsv } from './invocation-csv.ts';
import { exponentialService, type Traffic } from './traffic.ts';
import { TRACES } from './traces.ts';

const SEED = 20_261;
const READY_MS = 500;
const SERVICE_MS = 100;

const HELP = `Usage: npm run simulate [-- TRACE …] [--csv FILE] [--seed N] [--ready-ms N] [--service-ms N] [--json FILE]

Runs the scheduler of the platform on traffic in virtual time, and beside it Knative's published algorithm and the packing
rule of App Engine's development server, on the same arrivals, service times and start times.

  TRACE           ${Object.keys(TRACES).join(', ')}; without one, all of them
  --csv FILE      replays recorded traffic: app,minute,count; Azure Functions 2019 or 2021; or app,arrival_s[,service_ms]
  --seed N        the chance of arrivals and service times; the same seed prints the same table (${SEED})
  --ready-ms N    how long an instance takes to start, with everybody (${READY_MS})
  --service-ms N  mean of the exponential service times of a CSV file that names none (${SERVICE_MS})
  --json FILE     also writes the figures there

${Object.entries(TRACES)
  .map(([name, { about }]) => `  ${name.padEnd(8)} ${about}`)
  .join('\n')}

Examples:
  npm run simulate
  npm run simulate -- step sparse --seed 7
  npm run simulate -- --csv invocations_per_function_md.anon.d01.csv --service-ms 300 --json build/day-1.json
`;

interface Job {
  readonly name: string;
  readonly about: string;
  readonly traffic: Traffic;
}

class UsageError extends Error {}

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const [seed, readyMs] = [wholeNumber(values.seed, '--seed'), wholeNumber(values['ready-ms'], '--ready-ms')];
  const serviceMs = wholeNumber(values['service-ms'], '--service-ms');
  const jobs = [...tracesNamed(positionals, values.csv), ...(values.csv === undefined ? [] : [await csvJob(values.csv, serviceMs)])];
  process.stdout.write(`seed ${seed}, every instance starts in ${readyMs} ms, 10 requests at once each\n`);
  const comparisons: Comparison[] = [];
  for (const { name, about, traffic } of jobs) {
    process.stderr.write(`  ${name}: ${about} …\n`);
    comparisons.push(await compare(name, about, traffic, { seed, readyMs }));
  }
  process.stdout.write(`\n${comparisonTable(comparisons)}\n`);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ seed, readyMs, comparisons }, null, 2)}\n`);
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        csv: { type: 'string' },
        seed: { type: 'string', default: String(SEED) },
        'ready-ms': { type: 'string', default: String(READY_MS) },
        'service-ms': { type: 'string', default: String(SERVICE_MS) },
        json: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function tracesNamed(names: readonly string[], csv: string | undefined): readonly Job[] {
  const chosen = names.length > 0 ? names : csv === undefined ? Object.keys(TRACES) : [];
  return chosen.map((name) => {
    const trace = Object.hasOwn(TRACES, name) ? TRACES[name] : undefined;
    if (!trace) throw new UsageError(`Unknown trace "${name}": it must be one of ${Object.keys(TRACES).join(', ')}`);
    return { name, about: trace.about, traffic: trace.traffic(1) };
  });
}

async function csvJob(file: string, serviceMs: number): Promise<Job> {
  const name = basename(file, '.csv');
  try {
    return { name, about: file, traffic: parseInvocationCsv(name, await readFile(file, 'utf8'), exponentialService(serviceMs)) };
  } catch (error) {
    if (error instanceof CsvError) throw new UsageError(`Cannot replay ${file}: ${error.message}`);
    throw new UsageError(`Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function wholeNumber(text: string, flag: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${flag} must be a whole number of 0 or more, found "${text}"`);
  return Number(text);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\nTo mend it: npm run simulate -- --help\n`);
  process.exitCode = 1;
}
