import { Alert } from '@mantine/core';
import { IconShieldExclamation } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { type StatusView } from '../../../sdk/contract/admin/admin.ts';
import { useResource } from '../api/resource.tsx';

/** What the platform warns of at every start, such as apps without isolation. */
export function PlatformNotice(): ReactElement | null {
  const { data } = useResource<StatusView>('/status', { refetchMs: 60_000 });
  if (data === undefined || data.warnings.length === 0) return null;
  return (
    <Alert icon={<IconShieldExclamation aria-hidden />} className="notice" mb="md" role="note" aria-label="Warnings of the platform">
      {data.warnings.map((warning) => (
        <div key={warning}>{warning}</div>
      ))}
    </Alert>
  );
}
