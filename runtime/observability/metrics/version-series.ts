// What is counted for each version of each service of each app, within a bound: names are people's to choose, and a scraper
// keeps each that it ever saw.
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type Labels } from './metric-family.ts';

export interface VersionName {
  readonly appId: string;
  readonly service: string;
  readonly version: string;
}

interface Entry<T> {
  readonly labels: Labels;
  readonly series: T;
  usedAtMs: number;
}

/** Beyond metricVersionsMax all versions share one series; one that nothing was counted for in metricIdleMs goes. */
export class VersionSeries<T> {
  readonly #make: () => T;
  readonly #apps = new Map<string, Map<string, Map<string, Entry<T>>>>();
  #count = 0;
  #others: Entry<T> | undefined;
  /** Requests of one version mostly follow each other. */
  #lastName: VersionName | undefined;
  #last: Entry<T> | undefined;

  constructor(make: () => T) {
    this.#make = make;
  }

  /** `nowMs` is monotonic. */
  of(name: VersionName, nowMs: number): T {
    const last = this.#lastName;
    const isSame = last?.appId === name.appId && last.version === name.version && last.service === name.service;
    const entry = isSame && this.#last ? this.#last : this.#find(name);
    this.#lastName = name;
    this.#last = entry;
    entry.usedAtMs = nowMs;
    return entry.series;
  }

  /** All that there are, after those went that `isKept` does not know and nothing was counted for lately. */
  entries(nowMs: number, isKept: (name: VersionName) => boolean = () => false): readonly (readonly [labels: Labels, series: T])[] {
    this.#lastName = undefined;
    for (const [appId, services] of this.#apps) {
      for (const [service, versions] of services) {
        for (const [version, { usedAtMs }] of versions) {
          if (nowMs - usedAtMs < LIMITS.metricIdleMs || isKept({ appId, service, version })) continue;
          versions.delete(version);
          this.#count--;
        }
        if (versions.size === 0) services.delete(service);
      }
      if (services.size === 0) this.#apps.delete(appId);
    }
    const all = [...this.#apps.values()].flatMap((services) => [...services.values()].flatMap((versions) => [...versions.values()]));
    if (this.#others) all.push(this.#others);
    return all.map(({ labels, series }) => [labels, series]);
  }

  #find({ appId, service, version }: VersionName): Entry<T> {
    const found = this.#apps.get(appId)?.get(service)?.get(version);
    if (found) return found;
    if (this.#count >= LIMITS.metricVersionsMax) return (this.#others ??= this.#entry({ app: '~others', service: '', version: '' }));
    let services = this.#apps.get(appId);
    if (!services) this.#apps.set(appId, (services = new Map<string, Map<string, Entry<T>>>()));
    let versions = services.get(service);
    if (!versions) services.set(service, (versions = new Map<string, Entry<T>>()));
    const entry = this.#entry({ app: appId, service, version });
    versions.set(version, entry);
    this.#count++;
    return entry;
  }

  #entry(labels: Labels): Entry<T> {
    return { labels, series: this.#make(), usedAtMs: 0 };
  }
}
