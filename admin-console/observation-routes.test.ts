import express from 'express';
import request from 'supertest';
import { describe, expect, it } from 'vitest';
import { type HealthView, type RoleView } from '../sdk/contract/admin/health.ts';
import { MemoryLog } from '../sdk/support/log.ts';
import { authentication } from './authentication.ts';
import { errorAnswer } from './error-answer.ts';
import { observationRoutes } from './observation-routes.ts';

const TOKEN = 'token-of-the-owner';
const ready = (role: RoleView['role']): RoleView => ({ role, status: 'ready', reasons: [], pid: 4_711, memoryBytes: 5 });
let asked = 0;

function client(options: { readonly isMetricsOpen?: boolean; readonly router?: Partial<RoleView> } = {}): ReturnType<typeof request> {
  const roles = [ready('host'), ready('datastore'), ready('control'), { ...ready('router'), ...options.router }];
  const observation = {
    metrics: () => Promise.resolve('appengine_up{role="host"} 1\n'),
    roles: () => {
      asked++;
      return Promise.resolve(roles);
    },
  };
  const app = express();
  app.use(
    observationRoutes(observation, { authentication: authentication(TOKEN, undefined), isMetricsOpen: options.isMetricsOpen ?? false }),
  );
  app.use(errorAnswer(new MemoryLog()));
  return request(app);
}

describe('health', () => {
  it('of control is its own answer and asks nobody', async () => {
    asked = 0;
    const answer = await client({ router: { status: 'down' } }).get('/healthz');
    expect([answer.status, answer.body, asked]).toEqual([
      200,
      { status: 'ok', roles: [{ role: 'control', status: 'ready', reasons: [] }] },
      0,
    ]);
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('of one role or all is 200 or 503 with reasons, and says nothing else of them', async () => {
    expect((await client().get('/readyz')).status).toBe(200);
    const failing = client({ router: { status: 'not-ready', reasons: ['no routes'] } });
    const all = await failing.get('/readyz');
    expect([all.status, all.body.status]).toEqual([503, 'failing']);
    expect((all.body as HealthView).roles.at(-1)).toEqual({ role: 'router', status: 'not-ready', reasons: ['no routes'] });
    expect((await failing.get('/readyz?role=datastore')).status).toBe(200);
    expect((await failing.get('/healthz?role=router')).status).toBe(200);
    expect((await client({ router: { status: 'down' } }).get('/healthz?role=router')).status).toBe(503);
    expect((await client({ router: { status: 'down' } }).get('/healthz?role=all')).status).toBe(503);
    expect((await client().get('/readyz?role=nobody')).status).toBe(400);
  });
});

describe('metrics', () => {
  it('want the owner token', async () => {
    expect((await client().get('/metrics')).status).toBe(401);
    expect((await client().get('/metrics').set('authorization', 'Bearer wrong')).status).toBe(401);
    const answer = await client().get('/metrics').set('authorization', `Bearer ${TOKEN}`);
    expect([answer.status, answer.text]).toEqual([200, 'appengine_up{role="host"} 1\n']);
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  it('are open to this machine where the operator says so, but not to whom a proxy on it hands on', async () => {
    const open = client({ isMetricsOpen: true });
    expect((await open.get('/metrics')).status).toBe(200);
    for (const header of ['x-forwarded-for', 'forwarded', 'via']) expect((await open.get('/metrics').set(header, 'x')).status).toBe(401);
  });
});
