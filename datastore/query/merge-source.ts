// The candidates of several branches as one stream in the order of their positions.
import { type Candidate, type CandidateBatch, type CandidateSource } from './branch-source.ts';

interface Input {
  readonly source: CandidateSource;
  candidates: readonly Candidate[];
  at: number;
  /** Everything below is in `candidates` or was returned. */
  reached: Buffer;
  done: boolean;
}

export class MergeSource implements CandidateSource {
  readonly #inputs: readonly Input[];
  #reached: Buffer;

  constructor(sources: readonly CandidateSource[], from: Buffer) {
    this.#inputs = sources.map((source) => ({ source, candidates: [], at: 0, reached: from, done: false }));
    this.#reached = from;
  }

  async next(want: number): Promise<CandidateBatch> {
    const merged: Candidate[] = [];
    while (merged.length < want) {
      await Promise.all(
        this.#inputs.filter((input) => !input.done && input.at >= input.candidates.length).map((input) => refill(input, want)),
      );
      const first = earliest(this.#inputs);
      // An input that paused without a candidate may still have some from where it got to on.
      const paused = this.#inputs.filter((input) => !input.done && input.at >= input.candidates.length).map((input) => input.reached);
      const limit = paused.sort((left, right) => Buffer.compare(left, right))[0];
      const candidate = first?.candidates[first.at];
      if (!first || !candidate || (limit && Buffer.compare(candidate.position, limit) >= 0)) {
        if (limit) this.#reached = limit;
        break;
      }
      first.at++;
      merged.push(candidate);
      this.#reached = Buffer.concat([candidate.position, AFTER]);
    }
    return {
      candidates: merged,
      reached: this.#reached,
      done: this.#inputs.every((input) => input.done && input.at >= input.candidates.length),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#inputs.map(({ source }) => source.close()));
  }
}

const AFTER = Buffer.alloc(1);

async function refill(input: Input, want: number): Promise<void> {
  const { candidates, reached, done } = await input.source.next(want);
  input.candidates = candidates;
  input.at = 0;
  input.reached = reached;
  input.done = done;
}

function earliest(inputs: readonly Input[]): Input | undefined {
  let best: Input | undefined;
  for (const input of inputs) {
    const candidate = input.candidates[input.at];
    if (!candidate) continue;
    const least = best?.candidates[best.at];
    if (!least || Buffer.compare(candidate.position, least.position) < 0) best = input;
  }
  return best;
}
