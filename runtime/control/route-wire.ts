// The route feed on the wire: service `routes`, streaming method `watch`.
//
//   watch  := (version* table)+        first the whole truth, then each change
//   version    what routing and starting one deployment takes; sent once in a stream, before the first table that names it
//   table      which deployments there are now and who gets which share; names only deployments sent before
//
// Versions never change, so a change of traffic costs a few hundred bytes however many static files there are.
import { z } from 'zod';
import { type VersionRoutes } from '../../router/ports.ts';
import { type LaunchPlan } from '../scheduler/launch-plan.ts';

export const ROUTES_SERVICE = 'routes';

// Both sides are this release's own processes on a socket of mode 0600, so the inner parts are taken as they come.
const versionRoutes = z.custom<VersionRoutes>((value) => typeof value === 'object' && value !== null && 'handlers' in value);
const launchPlan = z.custom<LaunchPlan>((value) => typeof value === 'object' && value !== null && 'spec' in value);

export const routeEventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('version'), deploymentId: z.string(), routes: versionRoutes, plan: launchPlan }),
  z.object({
    kind: z.literal('table'),
    apps: z.array(
      z.object({
        appId: z.string(),
        services: z.array(
          z.object({
            service: z.string(),
            split: z.record(z.string(), z.number()),
            shardBy: z.enum(['ip', 'cookie', 'random']),
            buckets: z.array(z.tuple([z.string(), z.number()])).exactOptional(),
            deployments: z.array(z.string()),
          }),
        ),
        dispatch: z.array(z.object({ url: z.string(), host: z.string(), path: z.string(), service: z.string() })).exactOptional(),
      }),
    ),
    /** What was changed about a deployment by hand, where something was. */
    changes: z.record(z.string(), z.object({ isStopped: z.boolean(), instances: z.number().exactOptional() })),
    /** Deployments that may be started and not routed to: their deploys are under way. */
    staged: z.array(z.string()),
  }),
]);

export type RouteEvent = z.infer<typeof routeEventSchema>;
export type RouteTableEvent = Extract<RouteEvent, { kind: 'table' }>;
export type RouteVersionEvent = Extract<RouteEvent, { kind: 'version' }>;
