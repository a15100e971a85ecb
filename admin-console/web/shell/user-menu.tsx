import { ActionIcon, Menu } from '@mantine/core';
import { IconLogout, IconUser } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { useAction, useSession, useSessionSetter } from '../api/resource.tsx';

export function UserMenu(): ReactElement {
  const { data: session } = useSession();
  const { signedOut } = useSessionSetter();
  const signOut = useAction((api) => api.send('DELETE', '/session'), { onDone: signedOut });
  return (
    <Menu position="bottom-end" width={200}>
      <Menu.Target>
        <ActionIcon variant="default" size={32} aria-label={`Signed in as ${session?.user ?? ''}`}>
          <IconUser size={17} stroke={1.6} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Signed in as {session?.user}</Menu.Label>
        <Menu.Item leftSection={<IconLogout size={16} aria-hidden />} onClick={() => signOut.mutate(undefined)}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
