import { expect, it } from 'vitest';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { NeedIndexError } from '../../../query/need-index.ts';
import { statusText } from './status-text.ts';

it.each<[string, PlatformError]>([
  ['Limit must be non-negative.', new PlatformError('DS_INVALID', 'Limit must be non-negative.')],
  [
    'The maximum number of aggregations allowed in an aggregation query is 5. Received: 6',
    new PlatformError('DS_LIMIT', 'The maximum number of aggregations allowed in an aggregation query is 5. Received: 6'),
  ],
  ['entity already exists: Task:1', new PlatformError('DS_ALREADY_EXISTS', 'Task:1')],
  ['no entity to update: Task:1', new PlatformError('DS_NOT_FOUND', 'Task:1')],
  ['The referenced transaction has expired or is no longer valid.', new PlatformError('DS_TX_INVALID')],
  ['Aborted due to cross-transaction contention: Task:1', new PlatformError('DS_TX_CONFLICT', 'Task:1')],
  [
    'no matching index found. recommended index is:\n- kind: Task\n  ancestor: yes\n  properties:\n  - name: a\n  - name: b\n    direction: desc\n',
    new NeedIndexError([
      {
        kind: 'Task',
        ancestor: true,
        properties: [
          { name: 'a', direction: 'asc' },
          { name: 'b', direction: 'desc' },
        ],
      },
    ]),
  ],
  ['GQL query error: Encountered "x" at line 1, column 2.', new PlatformError('GQL_SYNTAX', 'Encountered "x" at line 1, column 2.')],
  ['Cannot bind GQL argument: Absent named binding: x.', new PlatformError('GQL_BIND', 'Absent named binding: x.')],
  ['Something in the platform failed', new PlatformError('INTERNAL', 'at /secret/path', { cause: new Error('secret') })],
  ['Stored bytes cannot be read back', new PlatformError('DS_CORRUPT', 'row 00ff')],
])('says %j', (text, error) => {
  expect(statusText(error)).toBe(text);
});
