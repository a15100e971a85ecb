import { Button, Menu } from '@mantine/core';
import { IconCheck, IconSelector } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { useNavigate } from 'react-router';
import { type AppView } from '../../../sdk/contract/admin/admin.ts';
import { useResource } from '../api/resource.tsx';

/** The app at hand; opens the list of the others, each at the same page. */
export function AppSwitcher({ appId, subpath }: { readonly appId: string; readonly subpath: string }): ReactElement {
  const { data } = useResource<{ apps: readonly AppView[] }>('/apps');
  const navigate = useNavigate();
  return (
    <Menu width={240} position="bottom-start">
      <Menu.Target>
        <Button
          variant="default"
          size="xs"
          rightSection={<IconSelector size={14} aria-hidden />}
          aria-label={`App ${appId}: choose another`}
          className="app-switcher"
        >
          <span className="mono">{appId}</span>
        </Button>
      </Menu.Target>
      <Menu.Dropdown mah={360} className="menu-long">
        {(data?.apps ?? []).map(({ id }) => (
          <Menu.Item
            key={id}
            onClick={() => void navigate(`/apps/${encodeURIComponent(id)}${subpath}`)}
            rightSection={id === appId ? <IconCheck size={14} aria-label="(open)" /> : undefined}
          >
            <span className="mono">{id}</span>
          </Menu.Item>
        ))}
        <Menu.Divider />
        <Menu.Item onClick={() => void navigate('/')}>All apps</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
