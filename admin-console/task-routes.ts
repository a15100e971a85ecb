import { Router } from 'express';
import { z } from 'zod';
import { LIMITS } from '../sdk/contract/limits.ts';
import { PlatformError } from '../sdk/contract/errors.ts';
import { queryOf } from './json-body.ts';
import { type TasksApi } from './ports.ts';

const LIMIT_DEFAULT = 50;

const taskQuery = z.strictObject({
  limit: z
    .string()
    .regex(/^\d{1,4}$/, 'a number of tasks')
    .transform(Number)
    .refine((value) => value >= 1 && value <= LIMITS.taskListRowsMax, `1 to ${LIMITS.taskListRowsMax} tasks`)
    .default(LIMIT_DEFAULT),
});

export function taskRoutes(tasks: TasksApi): Router {
  const router = Router();
  router.param('queue', (_request, _response, next, value: unknown) => {
    if (!/^[A-Za-z0-9-]{1,100}$/.test(String(value)))
      throw new PlatformError('QUEUE_NOT_FOUND', JSON.stringify(String(value).slice(0, 100)));
    next();
  });
  router.param('task', (_request, _response, next, value: unknown) => {
    if (!/^[A-Za-z0-9_-]{1,500}$/.test(String(value)))
      throw new PlatformError('TASK_NOT_FOUND', JSON.stringify(String(value).slice(0, 100)));
    next();
  });
  router.get('/apps/:app/queues', async (request, response) => {
    response.json({ queues: await tasks.queues(request.params.app) });
  });
  router.get('/apps/:app/queues/:queue/tasks', async (request, response) => {
    const { app, queue } = request.params;
    response.json({ tasks: await tasks.tasks(app, queue, queryOf(taskQuery, request).limit) });
  });
  router.post('/apps/:app/queues/:queue/pause', async (request, response) => {
    const { app, queue } = request.params;
    response.json(await tasks.pause(app, queue, true));
  });
  router.post('/apps/:app/queues/:queue/resume', async (request, response) => {
    const { app, queue } = request.params;
    response.json(await tasks.pause(app, queue, false));
  });
  router.post('/apps/:app/queues/:queue/purge', async (request, response) => {
    const { app, queue } = request.params;
    response.json({ purged: await tasks.purge(app, queue) });
  });
  router.post('/apps/:app/queues/:queue/tasks/:task/run', async (request, response) => {
    const { app, queue, task } = request.params;
    await tasks.runTask(app, queue, task);
    response.json({});
  });
  router.delete('/apps/:app/queues/:queue/tasks/:task', async (request, response) => {
    const { app, queue, task } = request.params;
    await tasks.deleteTask(app, queue, task);
    response.json({});
  });
  router.get('/apps/:app/cron', async (request, response) => {
    response.json({ jobs: await tasks.cronJobs(request.params.app) });
  });
  router.post('/apps/:app/cron/:job/run', async (request, response) => {
    response.json(await tasks.runCronJob(request.params.app, request.params.job));
  });
  return router;
}
