import { expect, it } from 'vitest';
import { PlatformError } from '../sdk/contract/errors.ts';
import { startReport } from './start-report.ts';

const owners = (stderrTail?: string): PlatformError =>
  new PlatformError('INSTANCE_EXITED', 'exited with code 1', {
    details: { instanceId: 'i', ...(stderrTail === undefined ? {} : { stderrTail }) },
  });

it('is what the owners are told, without colours and control characters', () => {
  const cause = owners('\u001b[31mError\u001b[0m: boom\u0007\n\tat app.js:3\n');
  expect(startReport(new PlatformError('INSTANCE_EXITED', 'exited with code 1', { cause }))).toEqual({
    reason: 'The app exited while it started: exited with code 1',
    output: 'Error: boom\n\tat app.js:3',
  });
  expect(startReport(new PlatformError('ROUTE_START_FAILED', undefined, { cause: owners() }))?.output).toBe('');
});

it('is none of other failures', () => {
  expect(startReport(new PlatformError('ROUTE_INSTANCE_FAILED', undefined, { cause: owners('x') }))).toBeUndefined();
  expect(startReport(owners('x'))).toBeUndefined();
  expect(startReport(new PlatformError('INSTANCE_EXITED', undefined, { cause: new Error('x') }))).toBeUndefined();
});
