// A command as app.yaml and package.json write it: text for a shell.

/** What `exec` cannot stand before: several commands, redirections that come first, or variables. */
const NOT_ONE_COMMAND = /[;&|\n(){}<>]|^\s*(\w+=|exec\b|cd\b|set\b|export\b|if\b|for\b|while\b|!)/;

/** The same so that no shell stays behind where it is one command: it would be one process more, and in the way of signals. */
export function replacingShell(command: string): string {
  return NOT_ONE_COMMAND.test(command) ? command : `exec ${command}`;
}

/** Argument vector of a shell that runs `command` and finds programs in `directories` first; relative ones are the app's. */
export function shellCommand(command: string, directories: readonly string[] = []): readonly string[] {
  const path =
    directories.length === 0
      ? ''
      : `export PATH="${directories.map((each) => `${each.startsWith('/') ? '' : '$PWD/'}${each}:`).join('')}$PATH"; `;
  return ['sh', '-c', `${path}${replacingShell(command.trim())}`];
}
