import { ActionIcon, Menu } from '@mantine/core';
import { IconDots, type Icon } from '@tabler/icons-react';
import { type ReactElement } from 'react';

export interface RowAction {
  readonly title: string;
  readonly icon: Icon;
  /** What is done; or where it leads, in a new tab. */
  readonly act: (() => void) | string;
  readonly isDanger?: boolean;
  readonly isDisabled?: boolean;
}

/** What can be done with one row of a table. `name` tells it from the other rows. */
export function RowMenu({ name, actions }: { readonly name: string; readonly actions: readonly RowAction[] }): ReactElement {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Actions on ${name}`}>
          <IconDots size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {actions.map(({ title, icon: Symbol, act, isDanger, isDisabled }) => {
          const shared = {
            leftSection: <Symbol size={16} aria-hidden />,
            className: isDanger === true ? 'menu-danger' : '',
            disabled: isDisabled === true,
            children: title,
          };
          return typeof act === 'string' ? (
            <Menu.Item key={title} component="a" href={act} target="_blank" rel="noreferrer" {...shared} />
          ) : (
            <Menu.Item key={title} onClick={act} {...shared} />
          );
        })}
      </Menu.Dropdown>
    </Menu>
  );
}
