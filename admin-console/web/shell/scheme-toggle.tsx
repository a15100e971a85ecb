import { ActionIcon, Menu, useMantineColorScheme } from '@mantine/core';
import { IconCheck, IconDeviceDesktop, IconMoon, IconSun } from '@tabler/icons-react';
import { type ReactElement } from 'react';

const SCHEMES = [
  { scheme: 'light', title: 'Light', Symbol: IconSun },
  { scheme: 'dark', title: 'Dark', Symbol: IconMoon },
  { scheme: 'auto', title: 'As the system', Symbol: IconDeviceDesktop },
] as const;

export function SchemeToggle(): ReactElement {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const { Symbol, title } = SCHEMES.find(({ scheme }) => scheme === colorScheme) ?? SCHEMES[2];
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="default" size={32} aria-label={`Colours: ${title.toLowerCase()}`}>
          <Symbol size={17} stroke={1.6} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {SCHEMES.map((each) => (
          <Menu.Item
            key={each.scheme}
            leftSection={<each.Symbol size={16} aria-hidden />}
            rightSection={each.scheme === colorScheme ? <IconCheck size={14} aria-label="(chosen)" /> : undefined}
            onClick={() => setColorScheme(each.scheme)}
          >
            {each.title}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
