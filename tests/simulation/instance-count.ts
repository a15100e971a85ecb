/** Counts the instances that live, and for how long, within a span of time: what an operator pays for. */
export class InstanceCount {
  readonly #endMs: number;
  readonly #alive = new Map<string, string>();
  readonly #ofDeployment = new Map<string, number>();
  #countedAtMs: number;
  #instanceMs = 0;
  #peak = 0;

  constructor(beginMs: number, endMs: number) {
    this.#countedAtMs = beginMs;
    this.#endMs = endMs;
  }

  /** Most at once, of all deployments, up to the end of the span. */
  get peak(): number {
    return this.#peak;
  }

  /** Notes whether an instance lives; returns how many its deployment has then. */
  change(id: string, deploymentId: string, isAlive: boolean, nowMs: number): { readonly ofDeployment: number } {
    this.#countTo(nowMs);
    const step = Number(isAlive) - Number(this.#alive.has(id));
    if (isAlive) this.#alive.set(id, deploymentId);
    else this.#alive.delete(id);
    const ofDeployment = (this.#ofDeployment.get(deploymentId) ?? 0) + step;
    this.#ofDeployment.set(deploymentId, ofDeployment);
    if (nowMs <= this.#endMs) this.#peak = Math.max(this.#peak, this.#alive.size);
    return { ofDeployment };
  }

  seconds(nowMs: number): number {
    this.#countTo(nowMs);
    return this.#instanceMs / 1_000;
  }

  #countTo(nowMs: number): void {
    const untilMs = Math.min(nowMs, this.#endMs);
    if (untilMs > this.#countedAtMs) this.#instanceMs += this.#alive.size * (untilMs - this.#countedAtMs);
    this.#countedAtMs = Math.max(this.#countedAtMs, untilMs);
  }
}
