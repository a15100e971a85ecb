// What the console and the CLI see of the scheduler. A schema, because it crosses a process border.
import { z } from 'zod';

export const poolInstanceViewSchema = z.object({
  id: z.string(),
  state: z.enum(['starting', 'warming', 'ready', 'stopping', 'exited']),
  inFlight: z.number(),
  /** Milliseconds without a request; absent while it has one or is not ready. */
  idleMs: z.number().optional(),
  /** Its last connection failed and the host has not said yet whether it lives. */
  isSuspect: z.boolean(),
  startedAtMs: z.number(),
});

export const poolViewSchema = z.object({
  appId: z.string(),
  service: z.string(),
  version: z.string(),
  deploymentId: z.string(),
  scaling: z.enum(['automatic', 'basic', 'manual']),
  /** Whether it has a share of the traffic. */
  isServing: z.boolean(),
  /** Stopped by hand. */
  isStopped: z.boolean(),
  isDraining: z.boolean(),
  inFlight: z.number(),
  queued: z.number(),
  headWaitMs: z.number(),
  /** Instances asked for and not seen yet. */
  requested: z.number(),
  instances: z.array(poolInstanceViewSchema),
  /** Failed starts in a row, and what the last one said. */
  startFailures: z.number(),
  startError: z.string().optional(),
  /** Milliseconds until the next try after a failed start. */
  nextTryMs: z.number().optional(),
  /** Why the host has no room for an instance that is wanted. */
  shortage: z.string().optional(),
});

export const schedulerViewSchema = z.object({ hostRoom: z.number(), pools: z.array(poolViewSchema) });

export type PoolInstanceView = z.infer<typeof poolInstanceViewSchema>;
export type PoolView = z.infer<typeof poolViewSchema>;
export type SchedulerView = z.infer<typeof schedulerViewSchema>;
