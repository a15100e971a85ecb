// The words of `appengine quotas`, `usage` and `billing …`; what they do stands in billing.ts.
import { type Command } from 'commander';
import { type AppFlag, changeBilling, parseMoney, showBilling, showInvoice, showQuotas, showUsage } from './billing.ts';
import { type CommonFlags } from './command-context.ts';
import { type CommandMaker } from './command-maker.ts';

type Flags = CommonFlags & AppFlag;

export function billingCommands(program: Command, { command, asked }: CommandMaker): void {
  const ofApp = (parent: Command, words: string, description: string, examples: readonly string[]): Command =>
    command(parent, words, description, examples).requiredOption('--app <id>', 'the app');

  ofApp(program, 'quotas', 'what an app has used today, and where it stops', ['quotas --app hello']).action((flags: Flags) =>
    asked(flags, (context) => showQuotas(flags, context)),
  );
  ofApp(program, 'usage', 'what an app used, day by day', ['usage --app hello', 'usage --app hello --days 31 --json'])
    .option('--days <number>', 'days up to today', '7')
    .action((flags: Flags & { days: string }) => asked(flags, (context) => showUsage(flags, context)));

  const billing = program.command('billing').description('pay for what an app uses beyond its free quotas');
  ofApp(billing, 'show', 'billing, budget and prices', ['billing show --app hello']).action((flags: Flags) =>
    asked(flags, (context) => showBilling(flags, context)),
  );
  ofApp(billing, 'enable', 'let the app go on beyond its free quotas, up to its daily budget', [
    'billing enable --app hello',
    'billing enable --app hello --budget 2.50',
  ])
    .option('--budget <dollars>', 'US dollars a day at most; default: the budget it has, 1 at first')
    .action((flags: Flags & { budget?: string }) =>
      asked(flags, (context) => {
        const budget = flags.budget === undefined ? {} : { dailyBudgetMicros: parseMoney(flags.budget) };
        return changeBilling(flags, { isEnabled: true, ...budget }, context);
      }),
    );
  ofApp(billing, 'disable', 'stop the app at its free quotas', ['billing disable --app hello']).action((flags: Flags) =>
    asked(flags, (context) => changeBilling(flags, { isEnabled: false }, context)),
  );
  ofApp(billing, 'budget', 'set the most that a day may cost', ['billing budget 5 --app hello', 'billing budget 0.75 --app hello'])
    .argument('<dollars>', 'US dollars a day')
    .action((amount: string, flags: Flags) =>
      asked(flags, (context) => changeBilling(flags, { dailyBudgetMicros: parseMoney(amount) }, context)),
    );
  ofApp(billing, 'invoice', 'what a day cost, line by line', [
    'billing invoice --app hello',
    'billing invoice --app hello --day 2026-11-26 --json',
  ])
    .option('--day <date>', 'YYYY-MM-DD; default: today so far')
    .action((flags: Flags & { day?: string }) => asked(flags, (context) => showInvoice(flags, context)));
}
