import { NavLink } from '@mantine/core';
import {
  IconActivity,
  IconApps,
  IconBolt,
  IconCalendarTime,
  IconDatabase,
  IconGauge,
  IconLayoutRows,
  IconListDetails,
  IconMail,
  IconReceipt,
  IconServer,
  IconSubtask,
  IconUsers,
  IconVersions,
  type Icon,
} from '@tabler/icons-react';
import { type ReactElement } from 'react';
import { Link, useLocation } from 'react-router';

interface NavigationEntry {
  readonly title: string;
  readonly path: string;
  readonly icon: Icon;
}

const APP_NAVIGATION: readonly { readonly group: string; readonly entries: readonly NavigationEntry[] }[] = [
  {
    group: 'Serving',
    entries: [
      { title: 'Dashboard', path: '', icon: IconActivity },
      { title: 'Versions', path: '/versions', icon: IconVersions },
      { title: 'Instances', path: '/instances', icon: IconServer },
      { title: 'Logs', path: '/logs', icon: IconListDetails },
    ],
  },
  {
    group: 'Data',
    entries: [
      { title: 'Datastore', path: '/datastore', icon: IconDatabase },
      { title: 'Memcache', path: '/memcache', icon: IconBolt },
    ],
  },
  {
    group: 'Work',
    entries: [
      { title: 'Task queues', path: '/queues', icon: IconSubtask },
      { title: 'Cron', path: '/cron', icon: IconCalendarTime },
      { title: 'Mail', path: '/mail', icon: IconMail },
    ],
  },
  {
    group: 'Cost',
    entries: [
      { title: 'Quotas', path: '/quotas', icon: IconGauge },
      { title: 'Billing', path: '/billing', icon: IconReceipt },
    ],
  },
];

const PLATFORM: readonly NavigationEntry[] = [
  { title: 'Apps', path: '/', icon: IconApps },
  { title: 'Tablets', path: '/tablets', icon: IconLayoutRows },
  { title: 'Accounts', path: '/accounts', icon: IconUsers },
];

function Entry({ title, to, icon: Symbol, onFollow }: { title: string; to: string; icon: Icon; onFollow: () => void }): ReactElement {
  const { pathname } = useLocation();
  const isActive = pathname === to || pathname === `${to}/`;
  return (
    <NavLink
      component={Link}
      to={to}
      label={title}
      active={isActive}
      aria-current={isActive ? 'page' : undefined}
      leftSection={<Symbol size={18} stroke={1.6} aria-hidden />}
      onClick={onFollow}
      className="nav-link"
    />
  );
}

/** The pages of the app at hand, then those of the platform. */
export function Navigation({ appId, onFollow }: { readonly appId: string | undefined; readonly onFollow: () => void }): ReactElement {
  return (
    <nav aria-label="Main">
      {appId !== undefined &&
        APP_NAVIGATION.map(({ group, entries }) => (
          <div key={group}>
            <div className="nav-group">{group}</div>
            {entries.map(({ title, path, icon }) => (
              <Entry key={path} title={title} icon={icon} to={`/apps/${encodeURIComponent(appId)}${path}`} onFollow={onFollow} />
            ))}
          </div>
        ))}
      <div className="nav-group">Platform</div>
      {PLATFORM.map(({ title, path, icon }) => (
        <Entry key={path} title={title} icon={icon} to={path} onFollow={onFollow} />
      ))}
    </nav>
  );
}
