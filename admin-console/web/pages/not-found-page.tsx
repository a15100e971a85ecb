import { Button } from '@mantine/core';
import { IconMapOff } from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { Link } from 'react-router';
import { NothingYet } from '../parts/nothing-yet.tsx';
import { Page } from '../parts/page.tsx';
import { Panel } from '../parts/panel.tsx';

export function NotFoundPage(): ReactElement {
  return (
    <Page
      title="No such page"
      actions={
        <Button component={Link} to="/">
          All apps
        </Button>
      }
    >
      <Panel>
        <NothingYet icon={<IconMapOff />} title="There is nothing at this address">
          Choose a page from the navigation, or go on from the list of apps.
        </NothingYet>
      </Panel>
    </Page>
  );
}
