// How often requests of one version may be given to another instance after the first had them: a share of its requests
// and a small floor. An app whose requests kill its instances would otherwise lose three for each of them.
import { LIMITS } from '../sdk/contract/limits.ts';

/** What one request earns. */
const EARNED = LIMITS.retryPercent / 100;
/** Beyond it budgets begin anew, from the floor: deployments come and go, and nobody says when. */
const DEPLOYMENTS_MAX = 10_000;

/** Decides alone, from what it is told; `nowMs` is monotonic. */
export class RetryBudget {
  #retries = LIMITS.retriesFloor;
  #refilledAtMs: number;

  constructor(nowMs: number) {
    this.#refilledAtMs = nowMs;
  }

  /** A request came. */
  earn(): void {
    if (this.#retries < LIMITS.retriesSavedMax) this.#retries += EARNED;
  }

  /** Whether one more retry is within the budget; then it is taken. */
  take(nowMs: number): boolean {
    const seconds = Math.floor((nowMs - this.#refilledAtMs) / 1_000);
    if (seconds > 0) {
      this.#refilledAtMs += seconds * 1_000;
      // One a second, so that a version with few requests is not left without.
      if (this.#retries < LIMITS.retriesFloor) this.#retries = Math.min(this.#retries + seconds, LIMITS.retriesFloor);
    }
    if (this.#retries < 1) return false;
    this.#retries--;
    return true;
  }
}

/** One budget for each deployment. */
export class RetryBudgets {
  readonly #byDeployment = new Map<string, RetryBudget>();

  earn(deploymentId: string, nowMs: number): void {
    this.#of(deploymentId, nowMs).earn();
  }

  take(deploymentId: string, nowMs: number): boolean {
    return this.#of(deploymentId, nowMs).take(nowMs);
  }

  #of(deploymentId: string, nowMs: number): RetryBudget {
    const known = this.#byDeployment.get(deploymentId);
    if (known) return known;
    if (this.#byDeployment.size >= DEPLOYMENTS_MAX) this.#byDeployment.clear();
    const budget = new RetryBudget(nowMs);
    this.#byDeployment.set(deploymentId, budget);
    return budget;
  }
}
