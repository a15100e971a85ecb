import { type InstanceLease } from '../../../router/ports.ts';
import { type ServingSource, type SimulatedPlan, type SourceFactory, type SourceParts } from '../serving-source.ts';

/** A peer's rule at work for one app. */
export interface PeerService {
  start(): void;
  acquire(): Promise<InstanceLease>;
  /** Requests under way or waiting. */
  readonly open: number;
  close(): void;
}

/** Peers know one app each; this gives each app its own. Their clients never leave, so the signal is not looked at. */
export function perApp(serviceOf: (plan: SimulatedPlan, parts: SourceParts) => PeerService): SourceFactory {
  return (parts): ServingSource => {
    const services = new Map([...parts.plans].map(([id, plan]) => [id, serviceOf(plan, parts)]));
    return {
      start: () => {
        for (const service of services.values()) service.start();
      },
      acquire: ({ deploymentId }) => services.get(deploymentId)?.acquire() ?? Promise.reject(new Error(`no service ${deploymentId}`)),
      openRequests: () => [...services.values()].reduce((sum, { open }) => sum + open, 0),
      close: () => {
        for (const service of services.values()) service.close();
        return Promise.resolve();
      },
    };
  };
}
