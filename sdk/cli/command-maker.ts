// What a file of commands is given to register them with.
import { type Command } from 'commander';
import { type CommandContext, type CommonFlags } from './command-context.ts';

export interface CommandMaker {
  /** A command with the flags that all have. Examples are without the program's name. */
  readonly command: (parent: Command, words: string, description: string, examples: readonly string[]) => Command;
  readonly asked: (flags: CommonFlags, act: (context: CommandContext) => Promise<void>) => Promise<void>;
}
